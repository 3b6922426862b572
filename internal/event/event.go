// Package event is the facts that the house states about mail: what was taken
// in or refused, each attempt and what it led to, reports, orders, damage. The
// journal keeps them, and the log, the console and metrics are made of them;
// whoever wants to show them to people does so elsewhere.
//
// The desks state an [Event] where it happens, as an [Entry]: the message, the
// instant and the event. [Append] and [Parse] are the form in which the journal
// keeps an event (the Data of a spool.Fact), [Entry.Line] is the form of the log,
// and [Story] puts entries in the order in which they are told.
package event

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Entry is an event with its message and time.
type Entry struct {
	ID    mail.ID // zero: about no message that we have, as in Refused
	At    time.Time
	Seq   uint64 // place in the journal, if it came from there
	Event Event
}

// Event is one of the types of this package: a pointer to [Accepted],
// [Refused], [Attempt], [Decided], [Reported], [SecondCopy], [Ordered],
// [Damaged], [LoginFailed] or [Judged].
type Event interface {
	kind() kind
	fields(*codec)
	line(*line)
}

// Accepted: the message is ours.
type Accepted struct {
	From      smtp.Path // null for reports
	To        []Recipient
	More      int   // recipients that are left out of To
	Size      int64 // octets
	Source    mail.Source
	Subject   string
	MessageID string
	Repaired  string // what was mended of a submission (RFC 6409, 8): "date, message-id"; "": nothing
}

// Recipient is one of [Accepted], by its place in mail.Envelope.To.
type Recipient struct {
	To       smtp.Path // final
	Original smtp.Path // as it was given; null if it is the same
}

// maxListed is how many recipients an event lists. With addresses as long as
// they may be (RFC 5321, 4.5.3.1) it stays below what a fact may be.
const maxListed = 1000

// NewAccepted says of an envelope that it was accepted. The size is not in the
// envelope yet when that is to be said.
func NewAccepted(e *mail.Envelope, size int64) *Accepted {
	a := &Accepted{
		From: e.From, To: make([]Recipient, min(len(e.To), maxListed)), Size: size, Source: e.Source,
		Subject: e.Subject, MessageID: e.MessageID,
	}
	a.More = len(e.To) - len(a.To)
	for i := range a.To {
		a.To[i].To = e.To[i].To
		if e.To[i].Original != e.To[i].To {
			a.To[i].Original = e.To[i].Original
		}
	}
	return a
}

// Refused: a client was told that mail of it is not taken.
type Refused struct {
	Source mail.Source
	Stage  smtp.Verb // what was answered
	From   smtp.Path
	To     smtp.Path // null if it was not about one recipient
	Reply  *smtp.Reply

	// What policy has against it, if that was the reason.
	Check  string
	Why    string
	Origin mail.Origin // the setting that decided
}

// Attempt: a recipient was tried.
type Attempt struct {
	Outcome mail.Outcome
	To      smtp.Path
	Hop     mail.Hop
	Next    time.Time   // when it is looked at again; zero if the fate is final
	Owed    mail.Action // what its sender is owed for it
}

// Decided: something became of a recipient without an attempt. Its time was
// over, or an operator had ordered it.
type Decided Attempt

// Reported: a report was committed with what it tells of, or one that was owed
// is not sent.
type Reported struct {
	Report     mail.ID // the message that it is; zero: none is sent
	To         smtp.Path
	Action     mail.Action // the gravest of those told
	Recipients []int       // told of, by index; at most 1,000
	Dropped    string      // why none is sent
}

// SecondCopy: a recipient may get the message twice (promise P3).
type SecondCopy struct {
	Recipient int
	To        smtp.Path
	Why       string
}

// Ordered: an operator gave an order about a recipient.
type Ordered struct {
	Recipient int
	To        smtp.Path
	Order     string // the verb
	By        string
	Reason    string
	Via       mail.Hop // where to, of a reroute
}

// Damaged: the message is not what was written.
type Damaged struct {
	What string
}

// LoginFailed: somebody was not let in. It is in no journal: strangers could fill it.
type LoginFailed struct {
	Source    mail.Source
	Mechanism string
	Account   string // "" if there is none of the name that was given: it may be a password
	Why       string
	Reply     *smtp.Reply
}

// Judged: what policy found about a message that was taken in.
type Judged struct {
	Action   string // what was done: "pass", "mark", "quarantine", "discard"
	Opinions []Opinion
	Changed  string // what is not as it came in, in words; "": nothing
}

// Opinion is what a check said of a message.
type Opinion struct {
	Check   string
	Stage   smtp.Verb // when
	Action  string    // what it wanted
	Why     string
	Origin  mail.Origin // the setting that decided
	Results string      // "spf=pass smtp.mailfrom=example.org; dkim=fail ..."
	AtMost  string      // a limit made it milder; "": none did
	Limit   mail.Origin // the setting of that
}

// kind is the number of a type in the journal. Numbers are never used again.
type kind uint8

const (
	kindAccepted kind = iota + 1
	kindRefused
	kindAttempt
	kindDecided
	kindReported
	kindSecondCopy
	kindOrdered
	kindDamaged
	kindLoginFailed
	kindJudged
)

// empty makes an event of a kind; nil: there is no such kind.
func (k kind) empty() Event {
	switch k {
	case kindAccepted:
		return new(Accepted)
	case kindRefused:
		return new(Refused)
	case kindAttempt:
		return new(Attempt)
	case kindDecided:
		return new(Decided)
	case kindReported:
		return new(Reported)
	case kindSecondCopy:
		return new(SecondCopy)
	case kindOrdered:
		return new(Ordered)
	case kindDamaged:
		return new(Damaged)
	case kindLoginFailed:
		return new(LoginFailed)
	case kindJudged:
		return new(Judged)
	}
	return nil
}

func (*Accepted) kind() kind   { return kindAccepted }
func (*Refused) kind() kind    { return kindRefused }
func (*Attempt) kind() kind    { return kindAttempt }
func (*Decided) kind() kind    { return kindDecided }
func (*Reported) kind() kind   { return kindReported }
func (*SecondCopy) kind() kind { return kindSecondCopy }
func (*Ordered) kind() kind    { return kindOrdered }
func (*Damaged) kind() kind    { return kindDamaged }

func (*LoginFailed) kind() kind { return kindLoginFailed }
func (*Judged) kind() kind      { return kindJudged }
