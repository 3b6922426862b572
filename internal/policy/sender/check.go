package sender

import (
	"context"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dmarc"
	"github.com/posthouse/posthouse/senderauth/spf"
)

// Options say what is asked, and what is done about it. The zero value asks nothing.
type Options struct {
	Resolver senderauth.Resolver // needed
	Hostname string              // ours, for explanations

	SPF, DKIM, ARC, IPRev bool
	// ReceivedSPF puts a Received-SPF field on top of the message, besides Authentication-Results.
	ReceivedSPF bool
	// DMARC is the severest that is done for a domain that wants it: Pass asks
	// nothing, Mark only tells, Quarantine never refuses, Reject honours what the domain wants.
	DMARC       policy.Action
	DMARCOrigin mail.Origin // the setting
	// DNSFailure is what is done while DMARC cannot be decided, since the DNS does not answer: Defer
	// or Mark.
	DNSFailure       policy.Action
	DNSFailureOrigin mail.Origin
	// Trusted reports whether what a sealer says counts where DMARC fails (ARC). nil: nobody's does.
	Trusted func(domain string) bool

	// Timeout bounds the questions of each stage; 0: 20 s.
	Timeout time.Duration
	// Found hears of each message that DMARC was asked about, before the client is answered. nil is silence.
	Found func(ctx context.Context, f *Finding)
}

// Finding is what was found of a message, for reports to its author's domain.
type Finding struct {
	At      time.Time
	Client  netip.Addr
	From    string // domain of the sender of the envelope; "" for the null sender
	SPF     spf.Result
	DKIM    []senderauth.MethodResult
	DMARC   dmarc.Result
	Applied policy.Action // what was wanted of the panel: Pass, Mark, Quarantine, Reject
	Vouched string        // the sealer for whose sake a failure was let pass; "": none
}

// Check is a [policy.Check]. Make one with [New].
type Check struct{ o Options }

// New makes a check.
func New(o Options) *Check {
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Trusted == nil {
		o.Trusted = func(string) bool { return false }
	}
	return &Check{o}
}

// Name implements [policy.Check].
func (*Check) Name() string { return "sender" }

// Open implements [policy.Check].
func (c *Check) Open(v *policy.Visit) policy.Session {
	if v.FromHere() {
		return nil
	}
	return &session{o: &c.o}
}

// Explain implements [policy.Explainer].
func (c *Check) Explain() []policy.Line {
	words := map[policy.Action]string{
		policy.Mark:       "what DMARC finds is told in the message",
		policy.Quarantine: "DMARC: what its domain wants refused or quarantined is junk",
		policy.Reject:     "DMARC: what its domain wants refused is refused (550 5.7.26), what it wants quarantined is junk",
	}
	var lines []policy.Line
	if what, is := words[c.o.DMARC]; is {
		lines = append(lines, policy.Line{What: what, Origin: c.o.DMARCOrigin})
		if c.o.DNSFailure == policy.Defer {
			lines = append(lines, policy.Line{What: "while the DNS does not answer for DMARC, mail waits (451 4.4.3)", Origin: c.o.DNSFailureOrigin})
		}
	}
	return lines
}

// session is the check on one connection.
type session struct {
	policy.Silent
	o   *Options
	ip  iprev
	spf spf.Result // of the transaction

	received string // Received-SPF
}

// Reset implements [policy.Session].
func (s *session) Reset() { s.spf, s.received = spf.Result{}, "" }
