package daemon

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/config"
)

// SelfMade makes a certificate for a host and for this machine's own names, valid
// for a year from now. Its key is nowhere but in memory.
func SelfMade(now time.Time, host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "posthouse run"},
		DNSNames:              []string{"localhost", host},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:             now.Add(-time.Hour), // for clocks that are behind
		NotAfter:              now.AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // of itself alone: there is no other use of the key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// certificates are those of the configuration, or one that was made for the run. The
// client's SNI chooses among several. Their files are looked at again by [House.renew].
type certificates struct {
	pairs []*pair
	now   atomic.Pointer[[]tls.Certificate]
}

// pair is a certificate in its files. It belongs to who reads them.
type pair struct {
	setting    *config.Certificate
	chain, key []byte // as they were last read
	is         tls.Certificate
}

func (b *builder) certificates() (*certificates, error) {
	c := &certificates{}
	for i := range b.cfg.Certificates {
		p := &pair{setting: &b.cfg.Certificates[i]}
		chain, ok := b.file(p.setting.Chain)
		key, also := b.secret(&p.setting.Key)
		if !ok || !also {
			continue
		}
		if err := p.take(chain, key); err != nil {
			b.add(p.setting.Origin, "the certificate cannot be used: %v", err)
		}
		c.pairs = append(c.pairs, p)
	}
	if len(b.cfg.Certificates) > 0 {
		c.publish()
		return c, nil
	}
	own, err := SelfMade(time.Now(), b.cfg.Hostname.Value)
	c.now.Store(&[]tls.Certificate{own})
	return c, err
}

// take takes over what is in the files; if it cannot be used, what was before stays.
func (p *pair) take(chain, key []byte) error {
	p.chain, p.key = chain, key
	is, err := tls.X509KeyPair(chain, key)
	if err == nil {
		p.is = is
	}
	return err
}

// publish lets those who come from now on see the certificates.
func (c *certificates) publish() {
	var all []tls.Certificate
	for _, p := range c.pairs {
		if p.is.Certificate != nil {
			all = append(all, p.is)
		}
	}
	c.now.Store(&all)
}

// choose finds the first certificate that suits a client, and else the first.
func (c *certificates) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	all := *c.now.Load()
	if len(all) == 0 {
		return nil, errors.New("there is no certificate")
	}
	for i := range all {
		if hello.SupportsCertificate(&all[i]) == nil {
			return &all[i], nil
		}
	}
	return &all[0], nil
}

// tlsOf is the TLS of a listener. Each has one of its own, and so keys of its own for
// session tickets: what one listener has let in, another looks at anew.
func (b *builder) tlsOf(l *config.Listen, keys *certificates) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: keys.choose}
	if !l.ClientCA.Given() {
		return t
	}
	text, ok := b.file(l.ClientCA)
	t.ClientCAs, t.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
	if !t.ClientCAs.AppendCertsFromPEM(text) && ok {
		b.add(l.ClientCA.Origin, "there is no certificate in %q", l.ClientCA.Value)
	}
	return t
}

// renewal is how often the files of certificates are looked at.
const renewal = time.Minute

// renew takes over certificates whose files have changed, until over.
func (h *House) renew(over <-chan struct{}) {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.renewOnce()
		case <-over:
			return
		}
	}
}

func (h *House) renewOnce() {
	c := h.keys.Load()
	changed := false
	for _, p := range c.pairs {
		chain, err := h.world.read(p.setting.Chain.Value)
		key, err2 := h.world.keyAgain(p)
		if err = errors.Join(err, err2); err == nil {
			if bytes.Equal(chain, p.chain) && bytes.Equal(key, p.key) {
				continue
			}
			changed = true
			err = p.take(chain, key)
		}
		if err != nil {
			h.world.Log.Error("the certificate before stays", "chain", p.setting.Chain.Value, "error", err)
			continue
		}
		h.world.Log.Info("a new certificate is in use", "chain", p.setting.Chain.Value)
	}
	if changed {
		c.publish()
	}
}
