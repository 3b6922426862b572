package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

// longest is how long one try may take.
const longest = 5 * time.Minute

// magic is an authority as certmagic knows it. Its own schedules are not used: it keeps
// no certificate in memory, and what it does ends before the call that asked for it.
type magic struct {
	cache  *certmagic.Cache
	config *certmagic.Config
	issuer *certmagic.ACMEIssuer
}

func newMagic(o *Options) (*magic, error) {
	m := &magic{}
	// What there is to tell is in the errors.
	silence := zap.NewNop()
	template := certmagic.ACMEIssuer{
		CA: o.Directory, Email: o.Email, Agreed: true, TrustedRoots: o.Roots,
		DisableHTTPChallenge: o.HTTP == "", DisableTLSALPNChallenge: o.TLSALPN == "",
		CertObtainTimeout: longest, Logger: silence,
	}
	var err, err2 error
	if template.ExternalAccount, err = o.Account.binding(); err != nil {
		return nil, err
	}
	template.AltHTTPPort, err = portOf(&template, o.HTTP)
	template.AltTLSALPNPort, err2 = portOf(&template, o.TLSALPN)
	if err = errors.Join(err, err2); err != nil {
		return nil, err
	}
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return m.config, nil },
		Logger:           silence,
	})
	store := o.Store
	if store == nil {
		store = &certmagic.FileStorage{Path: o.Dir}
	}
	m.config = certmagic.New(m.cache, certmagic.Config{
		Storage: store, ReusePrivateKeys: o.ReuseKey, Logger: silence,
		OCSP: certmagic.OCSPConfig{DisableStapling: true}, // mail programs do not ask for it
	})
	m.issuer = certmagic.NewACMEIssuer(m.config, template)
	m.config.Issuers = []certmagic.Issuer{unasked{m.issuer}}
	return m, nil
}

var errAccountKey = errors.New("the key of the account is not in base64 as in URLs (A-Z, a-z, 0-9, - and _)")

// binding is the account as certmagic wants it; nil: there is none. An error does not quote the
// key.
func (a Account) binding() (*acme.EAB, error) {
	if a == (Account{}) {
		return nil, nil
	}
	key := strings.TrimRight(a.Key, "=")
	if raw, err := base64.RawURLEncoding.DecodeString(key); err != nil || len(raw) == 0 {
		return nil, errAccountKey
	}
	return &acme.EAB{KeyID: a.ID, MACKey: key}, nil
}

// unasked is an issuer that asks nobody at a terminal for an address.
type unasked struct{ *certmagic.ACMEIssuer }

// PreCheck implements [certmagic.PreChecker].
func (u unasked) PreCheck(ctx context.Context, names []string, _ bool) error {
	return u.ACMEIssuer.PreCheck(ctx, names, false)
}

// portOf is the port of an address; its host goes into the template. certmagic tries to
// listen there too, and leaves it to us since we do.
func portOf(template *certmagic.ACMEIssuer, address string) (int, error) {
	if address == "" {
		return 0, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	template.ListenHost = host
	return strconv.Atoi(port)
}

func (m *magic) load(ctx context.Context, name string) (*tls.Certificate, error) {
	keys := certmagic.StorageKeys
	chain, err := m.config.Storage.Load(ctx, keys.SiteCert(m.issuer.IssuerKey(), name))
	if err != nil {
		return nil, err
	}
	key, err := m.config.Storage.Load(ctx, keys.SitePrivateKey(m.issuer.IssuerKey(), name))
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	if c.Leaf == nil {
		c.Leaf, err = x509.ParseCertificate(c.Certificate[0])
	}
	return &c, err
}

func (m *magic) obtain(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return told(m.config.ObtainCertSync(ctx, name))
}

func (m *magic) renew(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return told(m.config.RenewCertSync(ctx, name, true))
}

// told is an error on one line, whatever an authority says.
func told(err error) error {
	if err == nil {
		return nil
	}
	const most = 1000
	text := strings.Join(strings.Fields(err.Error()), " ")
	return errors.New(strings.ToValidUTF8(text[:min(len(text), most)], "?"))
}

func (m *magic) wants(ctx context.Context, c *tls.Certificate) (wish, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	info, err := m.issuer.GetRenewalInfo(ctx, certmagic.Certificate{Certificate: *c})
	if err != nil {
		return wish{}, err
	}
	w := wish{from: info.SuggestedWindow.Start, to: info.SuggestedWindow.End, at: info.SelectedTime}
	if info.RetryAfter != nil {
		w.again = time.Until(*info.RetryAfter)
	}
	return w, nil
}

func (m *magic) serveHTTP(w http.ResponseWriter, r *http.Request) bool {
	return m.issuer.HandleHTTPChallenge(w, r)
}

func (m *magic) challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return m.config.GetCertificate(hello)
}

func (m *magic) close() { m.cache.Stop() }
