package remote

import (
	"crypto/tls"
	"errors"
	"io"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// mustSecure: RFC 8689, 4.2.1; reports go even without (section 5).
func (a *attempt) mustSecure() bool { return a.d.Envelope.RequireTLS && !a.d.Envelope.From.IsNull() }

// raised are terms under which a message with REQUIRETLS may go.
func (a *attempt) raised(h *transport.Host, w *terms) *terms {
	up := *w
	switch {
	case w.refused != nil:
		return w
	case !a.signed && !w.demand.NamesHost:
		// Somebody may have forged where the mail goes.
		up.refused = fault(mail.Failed, smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 10},
			"REQUIRETLS needs the mail exchangers of %s to be authenticated, by DNSSEC or MTA-STS", a.d.Hop.Destination)
	case w.policy == smtpclient.TLSNever:
		up.refused = fault(mail.Failed, smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 10},
			"REQUIRETLS needs TLS, which is never used to %s", h.Name)
	case w.judged && w.demand.Level < tlspolicy.Verified:
		up.demand.Level, up.demand.Verify, up.demand.Key = tlspolicy.Verified, nil, "REQUIRETLS"
		up.demand.By, up.demand.Why, up.demand.Testing = "REQUIRETLS", "REQUIRETLS", false
		up.policy, up.config = a.t.under(h.Name, &up.demand)
	case w.policy == smtpclient.TLSOpportunistic:
		up.policy = smtpclient.TLSRequire
	}
	return &up
}

// lasting reports whether a host cannot be secured, rather than not now.
func lasting(err error) bool {
	var reply *smtp.Reply
	var alert tls.AlertError
	return errors.Is(err, smtpclient.ErrNotOffered) || tlspolicy.IsVerification(err) || errors.As(err, &alert) ||
		errors.As(err, &reply) && reply.Code.Permanent()
}

// waives reports whether the sender asks for what recipients demand of TLS to be ignored
// (RFC 8689, 3: "TLS-Required: No"). REQUIRETLS overrides it (section 4.1).
func (a *attempt) waives() bool {
	if a.waived == nil {
		waived := !a.d.Envelope.RequireTLS && tlsOptional(a.d.Content) && !sabotage.Is("who waives TLS is not heard")
		a.waived = &waived
	}
	return *a.waived
}

// tlsOptional looks for the field in the header of a message.
func tlsOptional(c mail.Content) bool {
	r, err := c.Open()
	if err != nil {
		return false
	}
	defer r.Close()
	fields := message.NewHeaderReader(r, message.HeaderLimits{})
	found := 0
	for {
		f, err := fields.Next()
		if errors.Is(err, io.EOF) {
			return found == 1
		}
		if err != nil {
			return false
		}
		if strings.EqualFold(f.Name(), "TLS-Required") {
			if !strings.EqualFold(strings.TrimSpace(f.Value()), "No") {
				return false
			}
			found++
		}
	}
}
