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
	"sync"
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
	acme keeping // of those that an authority gives

	mu    sync.Mutex // of what follows
	pairs []*pair
	names []string                   // of certificates that are in no file
	own   map[string]tls.Certificate // made for the run, by name; for those that have no other yet
	now   atomic.Pointer[[]tls.Certificate]
}

// pair is a certificate in its files. The files as they were last read belong to who
// reads them.
type pair struct {
	setting    *config.Certificate
	chain, key []byte
	is         tls.Certificate
	trouble    error // why what is in the files now cannot be used
}

func (b *builder) certificates() (*certificates, error) {
	c := &certificates{own: map[string]tls.Certificate{}}
	for i := range b.cfg.Certificates {
		p := &pair{setting: &b.cfg.Certificates[i]}
		chain, ok := b.file(p.setting.Chain)
		key, also := b.secret(&p.setting.Key)
		if !ok || !also {
			continue
		}
		if err := c.take(p, chain, key); err != nil {
			b.add(p.setting.Origin, "the certificate cannot be used: %v", err)
		}
		c.pairs = append(c.pairs, p)
	}
	b.keeper(c)
	without := b.cfg.ACME.Names.Value
	if len(b.cfg.Certificates) == 0 && !b.cfg.ACME.Used() {
		without = []string{b.cfg.Hostname.Value}
	}
	for _, name := range without {
		own, err := SelfMade(time.Now(), name)
		if err != nil {
			return c, err
		}
		c.own[name] = own
	}
	c.names = without
	c.publish()
	return c, nil
}

// take takes over what is in the files; if it cannot be used, what was before stays.
func (c *certificates) take(p *pair, chain, key []byte) error {
	p.chain, p.key = chain, key
	is, err := tls.X509KeyPair(chain, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	p.trouble = err
	if err == nil {
		p.is = is
	}
	return err
}

// publish lets those who come from now on see the certificates: those in files, then
// those of names, got from an authority or made for the run.
func (c *certificates) publish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []tls.Certificate
	for _, p := range c.pairs {
		if p.is.Certificate != nil {
			all = append(all, p.is)
		}
	}
	got := c.acme.got()
	for _, name := range c.names {
		if is := got[name]; is != nil {
			all = append(all, *is)
		} else {
			all = append(all, c.own[name])
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

// renew takes over certificates whose files have changed, and tells of those that end
// soon, until over.
func (h *House) renew(over <-chan struct{}) {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	told := map[string]time.Time{}
	for {
		h.warn(told)
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
			err = c.take(p, chain, key)
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
