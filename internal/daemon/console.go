package daemon

import (
	"crypto/tls"

	"github.com/posthouse/posthouse/internal/login"
)

// Door lets people in by the users of the configuration that holds; nil: there are none.
// Failures count together with those at the listeners for mail.
func (h *House) Door() *login.Door {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	return h.door(h.rooms, h.cfg)
}

// Certificate chooses a certificate for who comes by TLS, as tls.Config.GetCertificate does.
func (h *House) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return h.keys.Load().choose(hello)
}
