package queue

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Job is what the schedule must know of a message: what of its envelope says
// when and how urgently, and some or all of its recipients.
type Job struct {
	Message mail.ID
	// Sender is whom fairness is among: the login, or the reverse-path.
	Sender string
	// Null: the reverse-path is null, so no report is ever owed.
	Null bool
	// Arrived is where expiry and the warning of delay count from, or Hold if
	// that is later.
	Arrived  time.Time
	Priority int       // -9 to 9 (RFC 6710)
	Hold     time.Time // not before (RFC 4865)

	By      time.Time // RFC 2852; zero: not asked
	ByMode  smtp.ByMode
	ByTrace bool

	To []Recipient
}

// NewJob takes from an envelope what a Job has of it. There are no recipients
// in it yet.
func NewJob(e *mail.Envelope) Job {
	return Job{
		Message: e.ID, Sender: e.From.String(), Null: e.From.IsNull(), Arrived: e.Arrived,
		Priority: e.Priority, Hold: e.HoldUntil, By: e.By, ByMode: e.ByMode, ByTrace: e.ByTrace,
	}
}

// Recipient is one recipient of a [Job] and where it goes.
type Recipient struct {
	Index  int // in mail.Envelope.To
	Hop    mail.Hop
	Site   string // who stands behind the destination: its MX operator; "": not known
	Notify smtp.Notify
	State  State // as the spool has it; the zero value was never tried
}

// State is what must be remembered of a recipient that waits. The spool keeps
// it, as the last [Change] of the recipient gave it.
type State struct {
	Tries  int         // that count: not those that our own limits or a host that is down cut short
	Next   time.Time   // not to be tried before; zero: at once
	Warned bool        // its sender knows of the delay
	Late   bool        // its sender knows that By has passed (RFC 2852, mode N)
	Reply  *smtp.Reply // what the last try was answered; nil: nothing
}

// Delivery is one message to be carried to one destination now. It ends with
// [Schedule.Settle].
type Delivery struct {
	ID      uint64 // of this delivery, never used again by the Schedule
	Message mail.ID
	Hop     mail.Hop
	Site    string
	To      []int // indices of recipients, at most Route.Batch
	// Probe: the destination is thought to be down, and nothing else is tried
	// there until this delivery is settled.
	Probe bool
}

// Decision is what has become of recipients of one message. All of it is to be
// recorded at once, with the reports that it owes.
type Decision struct {
	Message mail.ID
	Changes []Change // by index of recipient
}

// Change is what has become of one recipient. It has left the window: if Fate is
// final it leaves the spool too, and the message with its last recipient; else it
// is to be leased and added again when its time comes.
type Change struct {
	// Outcome is that of the transport, or one that the schedule made in its
	// place (an expiry without a try); Fate may be Expired where the transport
	// said Deferred.
	mail.Outcome
	Hop mail.Hop // where it goes, or would have gone
	// Report is what its sender is owed. A message's reports of one Decision
	// belong into one delivery report.
	Report mail.Action
	// State is to be recorded if Fate is Deferred. It is as it was if OurLimit
	// is set.
	State State
	// Again is when the schedule wants to have the recipient back: the instant
	// to record it under. It is the earliest of the next try and whatever else
	// its time brings (warning, expiry).
	Again time.Time
}
