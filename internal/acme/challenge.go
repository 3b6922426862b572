package acme

import (
	"crypto/tls"
	"net/http"
	"slices"
)

// Protocol is what an authority speaks that asks by TLS-ALPN-01 (RFC 8737, 4): a server
// that can be asked offers it, and hands who speaks it alone to [Keeper.Challenge].
const Protocol = "acme-tls/1"

// Asks reports whether a client is an authority that asks by TLS-ALPN-01.
func Asks(hello *tls.ClientHelloInfo) bool {
	return slices.Equal(hello.SupportedProtos, []string{Protocol})
}

// Challenge is the answer to an authority that asks by TLS-ALPN-01.
func (k *Keeper) Challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return k.authority.challenge(hello)
}

// ServeHTTP answers an authority that asks by HTTP-01 (RFC 8555, 8.3); everything else is
// not found here.
func (k *Keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !k.authority.serveHTTP(w, r) {
		http.NotFound(w, r)
	}
}
