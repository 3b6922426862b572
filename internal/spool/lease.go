package spool

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Owner is one life of one dispatcher. The zero Owner is nobody.
type Owner struct {
	Name  string
	Epoch uint64 // grows with each Join of that name
}

// Ref names one recipient of one message.
type Ref struct {
	ID        mail.ID
	Recipient int // index in Envelope.To
}

// Want is how much of what an owner wants to lease. All limits are in recipients.
type Want struct {
	Recipients     int      // at most so many in this call
	PerDestination int      // at most so many of one destination held by the owner, those it has already included; 0: no limit
	Skip           []string // destinations of which nothing is wanted now
}

// Taken is what Lease found.
type Taken struct {
	// Leases, one a message: fresh ones by age, then waiting ones by destination, the longest due first.
	Leases []Lease
	// More: there may be more that could be leased now with the same want. If
	// nothing was leased and yet there may be more, a search stopped among many that
	// were not wanted: the next call goes on from there, and should wait until something has changed.
	More bool
	// Next is when the next waiting recipient falls due that is not due now. Zero: none that is known.
	Next time.Time
}

// Lease is the claim of its owner on some recipients of a message.
type Lease struct {
	Envelope   mail.Envelope // whole, with the recipients that are not leased
	Recipients []Standing    // those that are leased, by index
}

// Standing is where one recipient stands. Settle replaces it as a whole, so a
// desk that has nothing to say about a field hands back what it got.
type Standing struct {
	Recipient int // index in Envelope.To

	// Fate is 0 if it was never tried, Deferred, or final.
	Fate mail.Fate
	// Due is when it may be tried next. Zero in fresh ones: at once.
	Due time.Time
	// Destination under which it waits; in fresh ones the domain of the recipient in lower case.
	Destination string
	// Attempts so far, as the desk counts them.
	Attempts int
	// DelayTold: the delay report was sent.
	DelayTold bool
	// LateTold: the report was sent that its time has passed (RFC 2852, mode N).
	LateTold bool
	// Last is the outcome of the last attempt; zero if there was none.
	Last mail.Outcome
	// Order is the last order of an operator; zero if there was none.
	Order Order

	// Held by an operator: not leased until freed. The engine sets it, from orders.
	Held bool
	// Suspect: it may have been tried without our knowing (see the package). The
	// engine sets it after an unclean stop; the desk clears it when it settles an attempt.
	Suspect bool
}
