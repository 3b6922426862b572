package remote

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Transport is a [transport.Planner]. Its fields must not be changed after the
// first delivery; [Transport.Close] ends it.
type Transport struct {
	// Resolver is asked about domains and hosts.
	Resolver dns.Resolver
	// LocalName is our name, for EHLO.
	LocalName string
	// Self are the names and addresses by which we are known in the DNS. Mail that
	// would come back to one of them is a loop (RFC 5321, 5.1).
	Self Self
	// AllowLoopback takes hosts at loopback addresses for others. Without it a
	// domain whose hosts are there is taken for a loop: what it names is we.
	AllowLoopback bool

	// Smarthost: the destination of a hop is a list of hosts, in the order in which
	// they are tried, with commas between: names or addresses, with ":port" or
	// without. No MX record is asked for, and Self means nothing. Without it the
	// destination is a domain or an address literal.
	Smarthost bool
	// Port is that of hosts without one; 0: 25.
	Port uint16

	// Policy says how much security is asked of a host, by its name (or its address
	// if that is how it was named). nil: [smtpclient.TLSOpportunistic] of all.
	Policy func(host string) (smtpclient.TLSPolicy, *tls.Config)
	// Judge says how much security is asked of the hosts of a domain; nil: Policy does.
	// It is not asked about smarthosts.
	Judge tlspolicy.Source
	// Observer hears how security turned out at each host that Judge was asked about; nil
	// is silence.
	Observer tlspolicy.Observer
	// TLSConfig is what connections begin from under Judge: the authorities, and the
	// versions of TLS. nil: what package tls holds for safe.
	TLSConfig *tls.Config

	// Auth says who we are at the hosts, for each new connection; nil: nobody.
	Auth func(ctx context.Context) (*smtpclient.Auth, error)
	// AuthRefused hears that a host has refused what Auth returned. If it returns nil,
	// Auth is asked once more, and a connection made again; else the error stands in
	// place of the host's refusal. nil: the refusal counts.
	AuthRefused func(a *smtpclient.Auth, refusal *smtpclient.AuthError) error

	// Dial makes a connection; local is the address that it comes from, invalid if
	// any will do. It returns soon after ctx has ended. nil is that of
	// [net.Dialer].
	Dial func(ctx context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error)
	// Source are the addresses that connections come from: one of IPv4, one of
	// IPv6, or either. A family without one uses what the system chooses.
	Source []netip.Addr
	// NoIPv4 and NoIPv6 leave a family out.
	NoIPv4, NoIPv6 bool

	// Timeouts bound each stage; Connect is 30 seconds by default here, for all
	// addresses of a host together.
	Timeouts smtpclient.Timeouts

	MaxRecipients int           // of one transaction; 0: 100 (RFC 5321, 4.5.3.1.8)
	MaxConns      int           // to one host at a time; 0: 20. A delivery waits for one
	IdleTimeout   time.Duration // how long a connection is kept; 0: 10 seconds
	MaxMessages   int           // over one connection; 0: 100 (and MAILMAX of RFC 9422)

	// Refuse8Bit returns a text past ASCII, rather than encode it anew for a host
	// that takes 7 bits only.
	Refuse8Bit bool

	// Seed is where the order of equal hosts is drawn from, together with the
	// message and the time.
	Seed uint64

	// Trace is asked who wants to hear of a connection to a host; nil is silence.
	Trace func(host string, nc net.Conn) *smtpclient.Trace
	// Carries is told which message a connection is for, before each transaction and when
	// there was to be one: by the trace that Trace gave. It must be quick. nil is silence.
	Carries func(t *smtpclient.Trace, id mail.ID)

	kept connections
	bad  badHosts
}

// Self is by what we are known.
type Self struct {
	Names []dns.Name
	Addrs []netip.Addr
}

var _ transport.Planner = (*Transport)(nil)

// Deliver implements [transport.Transport]. The fate of success is Relayed.
func (t *Transport) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	a := &attempt{t: t, d: &d, sheet: transport.NewSheet(&d), last: make([]verdict, len(d.Recipients))}
	if len(d.Recipients) == 0 {
		return a.sheet.Outcomes()
	}
	plan := d.Plan
	if plan == nil {
		made := t.Plan(ctx, d.Hop)
		plan = &made
	}
	if fault := a.refused(plan); fault != nil {
		a.sheet.DecideAll(*fault)
		return a.sheet.Outcomes()
	}
	a.signed = plan.Authenticated
	for _, h := range t.order(&d, plan.Hosts) {
		if len(a.sheet.Open()) == 0 || ctx.Err() != nil || a.tries >= maxTries {
			break
		}
		a.visit(ctx, h)
	}
	return a.finish(ctx)
}

// refused returns what becomes of all recipients before any host is asked, nil if
// nothing does.
func (a *attempt) refused(plan *transport.Plan) *mail.Outcome {
	e := a.d.Envelope
	switch {
	case plan.Fault != nil:
		return plan.Fault
	case e.ByMode == smtp.ByReturn && !e.By.IsZero() && within(e) <= 0:
		return fault(mail.Failed, smtp.CodeFailed, smtp.EnhancedCode{5, 4, 7}, "The time of BY= is over")
	}
	return nil
}

// within is what is left of BY=, in whole seconds (RFC 2852, 4).
func within(e *mail.Envelope) time.Duration { return time.Until(e.By).Truncate(time.Second) }

// fault makes an outcome that is decided here.
func fault(fate mail.Fate, code smtp.Code, enhanced smtp.EnhancedCode, format string, args ...any) *mail.Outcome {
	return &mail.Outcome{Fate: fate, Local: true, Reply: transport.Local(code, enhanced, format, args...)}
}

// Close ends the connections that are kept, with QUIT, and returns when all are
// gone. Deliveries under way go on, and keep nothing. When ctx ends, the good-byes
// are broken off.
func (t *Transport) Close(ctx context.Context) error { return t.kept.close(ctx) }

func orElse[T int | uint16 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
