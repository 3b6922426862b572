package policy

import (
	"net/netip"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/smtp"
)

// Visit is what is known of a client and its transaction so far.
type Visit struct {
	Source mail.Source    // Login is known from MAIL on
	Local  netip.AddrPort // where the client has connected to; may be invalid
	// Trusted: the client comes from a network that may relay, or has logged in.
	// Nobody asks whether such a one may use the sender's name.
	Trusted bool

	ID     mail.ID // of the draft, from RCPT on. A message that is changed gets another
	From   smtp.Path
	Params smtp.MailParams
	To     []smtp.Path // accepted, as they were given

	// Results are what the checks have found so far on this connection and about
	// this transaction.
	Results []senderauth.MethodResult
}

// FromHere reports whether the client is a program of this machine, or none of any network: no domain can
// have named it, and nobody lists it.
func (v *Visit) FromHere() bool {
	a := v.Source.Client.Addr().Unmap()
	return !a.IsValid() || a.IsLoopback()
}
