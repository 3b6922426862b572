package dsn

import (
	"net"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Report is what is told of one message. The zero value of a field that is not
// named as needed means "not known", and it is left out.
type Report struct {
	MTA     string    // needed: our domain name, of who tried to deliver
	From    smtp.Path // needed: who answers for the mail system
	To      smtp.Path // needed: the reverse-path of the message, never null
	Date    time.Time // of the report; zero: now
	ID      string    // msg-id of the report; "": a new one
	Through string    // name under which we know the message, for people to ask about

	// What came with the message's envelope.
	EnvID  string      // as it was given, decoded
	Return smtp.Return // RET
	UTF8   bool        // it came with SMTPUTF8, so that the way back has it too
	// RequireTLS: it came with REQUIRETLS. Then the report has to go with it too, and
	// the header alone is returned whatever Return says (RFC 8689, 5).
	RequireTLS bool
	Arrived    time.Time
	Client     string // domain name of the host that it came from

	// What stood in its header.
	Subject   string // decoded
	MessageID string // with or without angle brackets

	// Largest is how many octets of a message are returned whole; above that it
	// is only its header. Zero: 1 MiB.
	Largest int64

	Recipients []Recipient // needed: one at least
}

// Recipient is what is told of one recipient.
type Recipient struct {
	Final    smtp.ORcpt // needed: as it stood in our envelope
	Original smtp.ORcpt // ORCPT, if it was given; else zero
	Action   mail.Action
	Status   smtp.EnhancedCode
	// Remote is the domain name of the host that answered; "" if none did.
	Remote string
	// Diagnostic is what it answered, on one line; or what we say in its place.
	Diagnostic Diagnostic
	Attempted  time.Time // the last time
	Until      time.Time // when we give up; only if Action is ReportDelayed
}

// Diagnostic is the answer of a transport (RFC 3464, 2.3.6).
type Diagnostic struct {
	Type string // "smtp", or whose words they are
	Text string // "550 5.1.1 no such user"
}

// ourWords is the type of diagnostics that we made ourselves.
const ourWords = "x-posthouse"

// NewRecipient tells of a recipient what an outcome and an action say. The
// caller adds Until.
func NewRecipient(to mail.Recipient, o mail.Outcome, a mail.Action) Recipient {
	r := Recipient{
		Final: address(to.To), Original: to.ORcpt, Action: a, Status: status(o, a),
		Remote: hostName(o.Host), Attempted: o.At,
	}
	if o.Reply != nil {
		r.Diagnostic = Diagnostic{"smtp", o.Reply.Error()}
	}
	if o.Local {
		r.Diagnostic.Type, r.Remote = ourWords, ""
	}
	if o.Local && o.Fate == mail.Expired { // nothing was attempted just now
		r.Attempted = time.Time{}
	}
	return r
}

// hostName is who answered in the form that reports have for it: a domain or an
// address literal, without port. A socket of this machine has no name that means
// anything to others.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return smtp.FormatLiteral(a)
	}
	if _, err := smtp.ParseDomain(host); err != nil {
		return ""
	}
	return host
}

// address is a path in the form that reports have for it.
func address(p smtp.Path) smtp.ORcpt {
	if ascii, err := p.ToASCII(); err == nil {
		return smtp.ORcpt{Type: "rfc822", Addr: ascii.String()}
	}
	return smtp.ORcpt{Type: "utf-8", Addr: p.String()}
}

// status is the code of the reply, if it is of the class that the action needs;
// else the general code of that class.
func status(o mail.Outcome, a mail.Action) smtp.EnhancedCode {
	var code smtp.EnhancedCode
	if o.Reply != nil {
		code = o.Reply.Enhanced
	}
	switch {
	case a == mail.ReportDelayed && code[0] != 4:
		return smtp.EnhancedCode{4, 0, 0}
	case a != mail.ReportDelayed && a != mail.ReportFailed && code[0] != 2:
		return smtp.EnhancedCode{2, 0, 0}
	case a == mail.ReportFailed && code[0] != 4 && code[0] != 5:
		return failure(o)
	}
	return code
}

func failure(o mail.Outcome) smtp.EnhancedCode {
	switch {
	case o.Fate == mail.Expired:
		return smtp.EnhancedCode{4, 4, 7}
	case o.Reply != nil && o.Reply.Code.Temporary():
		return smtp.EnhancedCode{4, 0, 0}
	}
	return smtp.EnhancedCode{5, 0, 0}
}

// worst is the action that the report is about: a failure if there is one, then
// a delay, then a success, which is the order of the constants.
func (r *Report) worst() mail.Action {
	var worst mail.Action
	for _, to := range r.Recipients {
		if worst == 0 || to.Action < worst {
			worst = to.Action
		}
	}
	return worst
}
