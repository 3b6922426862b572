package daemon

import (
	"crypto/tls"
	"slices"

	"github.com/posthouse/posthouse/internal/acme"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/mail"
)

// challengeConnections is how many an authority may have at a time.
const challengeConnections = 64

// challengeServers are those at which an authority may ask.
func (b *builder) challengeServers(keys *certificates) (all []*server) {
	k := keys.acme.keeper
	if k == nil {
		return nil
	}
	a := &b.cfg.ACME
	add := func(name string, address config.Setting[string], t *tls.Config) {
		if address.Value == "" {
			return
		}
		origin := address.Origin
		if origin == (mail.Origin{}) {
			origin = a.Origin
		}
		all = append(all, &server{name: name, at: []endpoint{endpointOf(address.Value)}, origin: origin, answerer: newWebServer(k, t, challengeConnections)})
	}
	add("acme http-01", a.HTTP, nil)
	if !slices.Contains(b.cfg.HTTPS.Address.Value, a.TLSALPN.Value) || !b.cfg.HTTPS.Used() { // else it asks where the pages are
		add("acme tls-alpn-01", a.TLSALPN, challengeTLS(keys))
	}
	return all
}

// challengeTLS is TLS with which an authority may ask by TLS-ALPN-01, and others may speak.
func challengeTLS(keys *certificates) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: keys.choose}
	k := keys.acme.keeper
	if k == nil {
		return t
	}
	t.NextProtos = []string{acme.Protocol}
	t.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if acme.Asks(hello) {
			return k.Challenge(hello)
		}
		return keys.choose(hello)
	}
	return t
}
