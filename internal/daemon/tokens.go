package daemon

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/idtoken"
	"github.com/posthouse/posthouse/internal/login"
)

// tokens says whose a token is; nil: none are taken. Keys are not fetched yet.
func (b *builder) tokens() login.Tokens {
	o := &b.cfg.Users.OAuth
	if !o.Used() {
		return nil
	}
	is := idtoken.Options{Issuer: o.Name.Value, Audience: o.Audience.Value, Claim: o.Claim.Value}
	if o.KeysURL.Given() {
		is.Keys = &idtoken.Fetched{URL: o.KeysURL.Value, Web: b.keyClient()}
		return idtoken.New(is)
	}
	text, ok := b.file(o.Keys)
	if !ok {
		return nil
	}
	set, err := idtoken.ParseKeys(text)
	if err != nil {
		b.add(o.Keys.Origin, "cannot use %q: %v", o.Keys.Value, err)
		return nil
	}
	is.Keys = idtoken.Fixed{Set: set}
	return idtoken.New(is)
}

// keyClient asks a server that the operator has named, which may be one of his own
// network, and goes nowhere else.
func (b *builder) keyClient() *http.Client {
	roots := b.authorities(b.cfg.Users.OAuth.CA)
	if roots == nil {
		roots = b.world.Roots
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: b.world.anywhere, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, // it is asked once an hour
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
