package policy

import (
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/smtp"
)

// Action is what is to become of mail, from the mildest on.
type Action uint8

// The actions.
const (
	Pass       Action = iota // nothing is held against it
	Mark                     // taken; the message tells what was found
	Quarantine               // taken, as junk
	Discard                  // taken and thrown away: nobody hears of it
	Defer                    // refused for now (4yz)
	Reject                   // refused (5yz)
)

var actionNames = [...]string{"pass", "mark", "quarantine", "discard", "defer", "reject"}

// String prints the word that stands in the configuration and in the journal.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "unknown"
}

// refuses reports whether the client is told no.
func (a Action) refuses() bool { return a >= Defer }

// Opinion is what a check says at a stage. The zero Opinion is silence.
type Opinion struct {
	Action Action
	// Reply is what the client is told of Defer and Reject, 4yz and 5yz; nil: a
	// plain sentence. It says nothing that strangers should not know.
	Reply *smtp.Reply
	// Firm: a refusal that protects the house. It is told at once, whatever
	// the domains of the recipients want; at CONNECT it ends the connection.
	Firm bool
	// Reason tells the operator why, in one short line. The journal keeps 500 octets.
	Reason string
	// Origin is the setting that decided.
	Origin mail.Origin
	// Results go into the Authentication-Results field, and are known to the checks
	// that are asked later ([Visit.Results]).
	Results []senderauth.MethodResult
	// Edits are wanted of the message. Those of a check that refuses are nothing. Other
	// stages than DATA may only change the envelope: From, AddTo, RemoveTo.
	Edits Edits
}

// Says reports whether there is anything to record.
func (o *Opinion) Says() bool {
	return o.Action != Pass || o.Reason != "" || len(o.Results) > 0 || !o.Edits.none()
}

// Heard is an opinion with who had it, and when.
type Heard struct {
	Check string
	Stage smtp.Verb // Greeting, VerbEHLO, VerbMAIL, VerbRCPT, Dot
	Opinion
	// Limited: a limit made it milder, and which.
	Limited *Limit
}
