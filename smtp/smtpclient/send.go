package smtpclient

import (
	"context"
	"errors"

	"github.com/posthouse/posthouse/smtp"
)

// Envelope is who sends a message to whom, and how (RFC 5321, 2.3.1).
type Envelope struct {
	From smtp.Path
	To   []Recipient

	// Mail are the parameters of MAIL. Send fills in and changes some:
	//
	// Size: zero is the size of the body. One beyond what the server takes is
	// refused with 552 5.3.4 before anything is sent.
	//
	// Body: "" has Send look for itself whether the text is 8-bit, and whether
	// its header needs SMTPUTF8. Other values are taken at their word. An 8-bit
	// text for a server without 8BITMIME, and a binary one for a server without
	// BINARYMIME, is encoded anew (see Dialer.Refuse8Bit).
	//
	// UTF8: is set when an address or the header needs it. To a server without
	// SMTPUTF8 domains are sent as A-labels; what needs it still is refused with
	// [smtp.ErrNeedsSMTPUTF8].
	//
	// PRDR, Auth, Return, EnvID, Priority, BY= in mode N, and the parameters of
	// RCPT: are left out if the server does not offer the extension; see
	// Result.Dropped.
	//
	// RequireTLS, HoldFor, HoldUntil, BY= in mode R: the message is refused if
	// the server does not offer the extension; RequireTLS also without TLS
	// whose certificate is good (RFC 8689, 4.2.1).
	Mail smtp.MailParams
}

// Recipient is one recipient of a message.
type Recipient struct {
	Path   smtp.Path
	Params smtp.RcptParams
}

// Result is what became of a message.
type Result struct {
	// Recipients has one outcome for each recipient of the envelope, in order.
	Recipients []Outcome
	// Mail is the reply to MAIL; nil if there was none.
	Mail *smtp.Reply
	// Final is the reply to the text as a whole; nil if there was none. With
	// LMTP there is none.
	Final *smtp.Reply
	// Dropped are the extensions whose parameters were left out, because the
	// server does not offer them. Whoever relays with DSN has duties then
	// (RFC 3461, 5.2.2).
	Dropped smtp.ExtensionSet
	// Encoded: the text was encoded anew, for a server that takes 7 bits only.
	Encoded bool
}

// Accepted reports whether the server accepted the message for every recipient.
func (r *Result) Accepted() bool {
	for i := range r.Recipients {
		if r.Recipients[i].Err != nil {
			return false
		}
	}
	return true
}

// Outcome is what became of the message for one recipient.
type Outcome struct {
	To smtp.Path // as in the envelope

	// Stage is the verb at which it was decided: MAIL, RCPT, DATA, the final
	// dot or BDAT.
	Stage smtp.Verb
	// Reply is the reply that decided; nil if none came.
	Reply *smtp.Reply
	// Local: the reply was made here, and the server was not asked.
	Local bool
	// Rcpt is the server's reply to RCPT; nil if there was none.
	Rcpt *smtp.Reply

	// Err is nil if the server has accepted the message for this recipient. It
	// is or wraps the reply if there is one, and wraps [ErrUnknownOutcome] if
	// nobody knows.
	Err error

	asked bool // RCPT was said
}

// Fate is an outcome in one word.
type Fate int

// The fates.
const (
	Accepted  Fate = iota // the server has taken responsibility
	Temporary             // not accepted; may be tried again
	Permanent             // not accepted, and never will be
	Unknown               // may have been accepted
)

// String returns the fate as a word: "accepted".
func (f Fate) String() string {
	switch f {
	case Accepted:
		return "accepted"
	case Temporary:
		return "temporary"
	case Permanent:
		return "permanent"
	case Unknown:
		return "unknown"
	}
	return ""
}

// Fate returns the outcome in one word.
func (o *Outcome) Fate() Fate {
	switch {
	case o.Err == nil:
		return Accepted
	case errors.Is(o.Err, ErrUnknownOutcome):
		return Unknown
	case o.Reply != nil && o.Reply.Code.Permanent():
		return Permanent
	}
	return Temporary
}

// Errors of outcomes.
var (
	// ErrUnknownOutcome says that the connection was lost after the whole text
	// was sent and before the server answered: the message may have been
	// accepted, and to send it again may make a second copy.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrNotSent says that the recipient's turn never came.
	ErrNotSent = errors.New("not sent")
	// ErrNeeds8BitMIME says that the text is 8-bit and the server does not
	// offer 8BITMIME.
	ErrNeeds8BitMIME = errors.New("text needs 8BITMIME")
	// ErrNeedsBinaryMIME says that the text is binary and the server does not
	// offer BINARYMIME.
	ErrNeedsBinaryMIME = errors.New("text needs BINARYMIME")
	// ErrFull says that the server takes no more transactions on a connection
	// (MAILMAX of RFC 9422). Nothing was sent; the connection is only good for
	// Quit.
	ErrFull = errors.New("the server takes no more messages on this connection")
)

// unknownOutcome is an ErrUnknownOutcome and why.
type unknownOutcome struct{ cause error }

func (e *unknownOutcome) Error() string   { return ErrUnknownOutcome.Error() + ": " + e.cause.Error() }
func (e *unknownOutcome) Unwrap() []error { return []error{ErrUnknownOutcome, e.cause} }

// localRefusal is a reply that was made here, and why.
type localRefusal struct {
	reply *smtp.Reply
	cause error
}

func (e *localRefusal) Error() string   { return e.cause.Error() }
func (e *localRefusal) Unwrap() []error { return []error{e.reply, e.cause} }

// refuse makes the error of a refusal that the server was not asked about.
func refuse(code smtp.Code, enhanced smtp.EnhancedCode, cause error) *localRefusal {
	return &localRefusal{&smtp.Reply{Code: code, Enhanced: enhanced, Text: cause.Error()}, cause}
}

// Send hands a message to the server. The Result is never nil and has an
// outcome for each recipient; one that is refused does not stop the others. If
// there are more recipients than the server takes (RCPTMAX or RCPTDOMAINMAX of
// RFC 9422), those beyond are refused with 452 for the caller to send again.
//
// The error is nil as long as the connection can be used for more, whatever
// became of the message; otherwise it is a [*ConnectionError], or [ErrFull].
// When ctx ends, the connection ends with it.
func (c *Conn) Send(ctx context.Context, env Envelope, body Body) (*Result, error) {
	t := newTransaction(c, &env, body)
	if c.dead == nil && c.Full() {
		t.lost(ErrFull)
		return t.res, ErrFull
	}
	defer c.under(ctx)()
	t.run()
	if c.dead != nil {
		t.lost(c.dead)
	}
	return t.res, c.dead
}

// transaction is one message on its way.
type transaction struct {
	c    *Conn
	env  *Envelope
	body Body
	text text
	mail smtp.Mail
	res  *Result

	owed      []owed      // replies that are still to come
	refused   bool        // MAIL was
	accepted  int         // recipients
	start     *smtp.Reply // the reply to DATA
	flown     bool        // the text went behind RCPT, in a single flight
	committed bool        // the whole text may have reached the server
}

func newTransaction(c *Conn, env *Envelope, body Body) *transaction {
	t := &transaction{c: c, env: env, body: body, mail: smtp.Mail{From: env.From, Params: env.Mail}}
	t.res = &Result{Recipients: make([]Outcome, len(env.To))}
	for i := range env.To {
		t.res.Recipients[i] = Outcome{To: env.To[i].Path, Err: ErrNotSent}
	}
	return t
}

// run carries the transaction through, until every recipient has an outcome or
// the connection is gone.
func (t *transaction) run() {
	if !t.plan() || t.c.dead != nil {
		return
	}
	t.c.transactions++
	switch t.way() {
	case byDot:
		t.sendData()
	case byChunks:
		t.sendChunks()
	case bySingleFlight:
		t.sendSingleFlight()
	}
}

// undecided calls f for every recipient whose outcome is still open.
func (t *transaction) undecided(f func(*Outcome)) {
	for i := range t.res.Recipients {
		if o := &t.res.Recipients[i]; o.Err == ErrNotSent {
			f(o)
		}
	}
}

// refuseAll gives all open outcomes a refusal that was made here.
func (t *transaction) refuseAll(stage smtp.Verb, r *localRefusal) {
	t.undecided(func(o *Outcome) { o.refuse(stage, r) })
}

func (o *Outcome) refuse(stage smtp.Verb, r *localRefusal) {
	o.Stage, o.Reply, o.Local, o.Err = stage, r.reply, true, r
}

// decideAll gives all open outcomes the server's reply.
func (t *transaction) decideAll(stage smtp.Verb, r *smtp.Reply) {
	t.undecided(func(o *Outcome) { o.decide(stage, r) })
}

func (o *Outcome) decide(stage smtp.Verb, r *smtp.Reply) {
	o.Stage, o.Reply, o.Err = stage, r, nil
	if !r.Code.Positive() {
		o.Err = refusal(stage, r)
	}
}

// lost gives all open outcomes what is known of them when the connection has
// ended: nothing, if the server may have the whole text and has not said 421.
func (t *transaction) lost(why error) {
	var at *ConnectionError
	stage := smtp.VerbUnknown
	if errors.As(why, &at) {
		stage = at.Stage
	}
	var last *smtp.Reply
	if errors.As(why, &last) && last.Code != smtp.CodeUnavailable {
		last = nil
	}
	t.undecided(func(o *Outcome) {
		o.Stage, o.Reply, o.Err = stage, last, why
		if t.committed && last == nil && o.asked {
			o.Err = &unknownOutcome{why}
		}
	})
}
