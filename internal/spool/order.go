package spool

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Verb is what an operator wants.
type Verb uint8

// The verbs of an order.
const (
	// Hold: not tried until freed.
	Hold Verb = iota + 1
	// Free: a held one waits again, due at once. It does nothing to others.
	Free
	// Retry: due at once. It does nothing to held ones.
	Retry
	// Reroute: due at once, by the hop in Order.Via; held ones stay held.
	Reroute
	// Bounce: due at once, held or not; the desk that leases it is to fail it, with a report.
	Bounce
	// Remove: done, with the fate Removed and without a report.
	Remove
)

// String prints the verb as an operator types it.
func (v Verb) String() string {
	if int(v) < len(verbNames) {
		return verbNames[v]
	}
	return ""
}

var verbNames = [...]string{"", "hold", "free", "retry", "reroute", "bounce", "remove"}

// Order is what an operator wants done with recipients.
type Order struct {
	Verb   Verb
	At     time.Time
	By     string // who orders
	Reason string
	Via    mail.Hop // of Reroute
}

// Apply returns the standing that the order makes of one, and whether it
// changes anything. Engines call it, so that they agree.
func (o *Order) Apply(s Standing) (Standing, bool) {
	switch o.Verb {
	case Hold:
		if s.Held {
			return s, false
		}
		s.Held = true
	case Free:
		if !s.Held {
			return s, false
		}
		s.Held, s.Due = false, o.At
	case Retry:
		if s.Held {
			return s, false
		}
		s.Due = o.At
	case Reroute:
		s.Due = o.At
	case Bounce:
		s.Held, s.Due = false, o.At
	case Remove:
		s.Held, s.Fate = false, mail.Removed
	default:
		return s, false
	}
	s.Order = *o
	return s, true
}
