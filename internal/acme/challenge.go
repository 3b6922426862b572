package acme

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Protocol is what an authority speaks that asks by TLS-ALPN-01 (RFC 8737, 4): a server
// that can be asked offers it, and hands who speaks it alone to [Keeper.Challenge].
const Protocol = "acme-tls/1"

// Asks reports whether a client is an authority that asks by TLS-ALPN-01.
func Asks(hello *tls.ClientHelloInfo) bool {
	return slices.Equal(hello.SupportedProtos, []string{Protocol})
}

var errNotAsked = errors.New("no certificate is wanted for that name")

// Challenge is the answer to an authority that asks by TLS-ALPN-01. What strangers may call a
// host is looked up nowhere.
func (k *Keeper) Challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if !k.wants(hello.ServerName) {
		return nil, errNotAsked
	}
	return k.authority.challenge(hello)
}

// ServeHTTP answers an authority that asks by HTTP-01 (RFC 8555, 8.3); everything else is
// not found here.
func (k *Keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if !k.wants(host) || !k.authority.serveHTTP(w, r) {
		http.NotFound(w, r)
	}
}

// wants reports whether a name is one of ours.
func (k *Keeper) wants(name string) bool {
	return slices.ContainsFunc(k.opts.Names, func(n string) bool { return strings.EqualFold(n, name) })
}
