package policy

import (
	"context"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Check is one reason why mail may be refused. It is used by many connections at once.
type Check interface {
	// Name is the word for it in the journal: "dmarc", "milter rspamd".
	Name() string
	// Open begins to follow a connection, of which the Visit has the addresses. It does no
	// I/O. nil: the check has nothing to do with this one.
	Open(v *Visit) Session
}

// Session is a check on one connection. Its methods are called one after the other,
// in the order of the stages. Each bounds its own time, and returns when ctx ends; what goes wrong
// is an opinion too, and the check's own to choose: [Pass] or [Defer], with a Reason.
//
// The Visit and what it refers to are the caller's: a Session does not change them,
// nor keep them after it has returned.
type Session interface {
	// Connect is asked before the greeting.
	Connect(ctx context.Context, v *Visit) Opinion
	// Hello is asked with the first MAIL after each new HELO, EHLO or STARTTLS.
	Hello(ctx context.Context, v *Visit) Opinion
	// Mail is asked when a transaction begins; v.Source has the login by now.
	Mail(ctx context.Context, v *Visit) Opinion
	// Rcpt is asked for each recipient that the directory would take; v.To are those
	// that were accepted before.
	Rcpt(ctx context.Context, v *Visit, to *smtp.Rcpt) Opinion
	// Data is asked when the whole text has come, and changes nothing but by its Edits.
	Data(ctx context.Context, v *Visit, text *Text) Opinion
	// Reset: the transaction is over, after Data or without it. It is called once for
	// each Mail.
	Reset()
	// Close: the connection is over.
	Close()
}

// Explainer is a Check that can tell what it would do, for people.
type Explainer interface {
	Explain() []Line
}

// Line is what a setting says, in plain words.
type Line struct {
	What   string
	Origin mail.Origin
}

// Silent has no opinions. A Session that embeds it says only what it wants to.
type Silent struct{}

// Connect implements [Session].
func (Silent) Connect(context.Context, *Visit) Opinion { return Opinion{} }

// Hello implements [Session].
func (Silent) Hello(context.Context, *Visit) Opinion { return Opinion{} }

// Mail implements [Session].
func (Silent) Mail(context.Context, *Visit) Opinion { return Opinion{} }

// Rcpt implements [Session].
func (Silent) Rcpt(context.Context, *Visit, *smtp.Rcpt) Opinion { return Opinion{} }

// Data implements [Session].
func (Silent) Data(context.Context, *Visit, *Text) Opinion { return Opinion{} }

// Reset implements [Session].
func (Silent) Reset() {}

// Close implements [Session].
func (Silent) Close() {}
