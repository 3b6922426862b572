package transport

import (
	"context"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Transport carries messages one hop. It may be used by many goroutines.
type Transport interface {
	// Deliver returns an outcome for each of d.Recipients, in their order. It
	// gives up when ctx ends: what is undecided then is deferred, and if ctx was
	// cancelled (rather than out of time) by our own limit.
	//
	// Outcomes that are final are true: the other side has answered so. A
	// recipient who may have got the message, although nobody said so, is deferred
	// and Unsure.
	Deliver(ctx context.Context, d Delivery) []mail.Outcome
}

// Delivery is a message on its way, and those who go one hop together.
type Delivery struct {
	Envelope   *mail.Envelope
	Recipients []int // indexes in Envelope.To, each once
	Content    mail.Content
	Hop        mail.Hop
	// Plan is what a Planner has planned for the hop; nil: the transport finds
	// out for itself.
	Plan *Plan
}

// Planner is a [Transport] that knows where a hop leads before it goes there.
type Planner interface {
	// Plan may ask the DNS and wait. When ctx ends before it is done, the plan has
	// a Fault and is over at once.
	Plan(ctx context.Context, hop mail.Hop) Plan
}

// Plan is where a hop leads.
type Plan struct {
	// Site is the key of limits: hops with the same Site end at the same operator.
	Site string
	// Hosts are tried from the first to the last; those of equal preference in any
	// order.
	Hosts []Host
	// Until is how long the plan holds.
	Until time.Time
	// Fault, if it is not nil, is what becomes of every recipient: there are no
	// Hosts. Its Recipient means nothing.
	Fault *mail.Outcome
	// Authenticated: nobody can have forged the names of the hosts. They were
	// signed, or given by the configuration.
	Authenticated bool
	// Notes tell what was left out and why, a line each, for people.
	Notes []string
}

// Host is one that takes the mail of a hop.
type Host struct {
	Name       string // a domain name, or an address
	Preference int    // low ones come first
	Addrs      []netip.AddrPort
	TLS        string // how much security is asked for, and by whom: "opportunistic", "verified (DANE)"
	// Terms are the planner's own, on how it will speak to the host; only it looks at them.
	Terms any
}
