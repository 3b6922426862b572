package smtpclient

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// UnexpectedReplyError is a reply with a code that the verb may not get
// (RFC 5321, 4.3.2). If it is a refusal, it is counted as one by its first
// digit; if it is a success of another kind, such as 250 to DATA, the two
// sides no longer mean the same thing and the connection is given up.
type UnexpectedReplyError struct {
	Verb smtp.Verb
	Want []smtp.Code // what the verb may get
	Got  *smtp.Reply
}

func (e *UnexpectedReplyError) Error() string {
	want := make([]string, len(e.Want))
	for i, c := range e.Want {
		want[i] = c.String()
	}
	return fmt.Sprintf("%s got the reply %q, which is none of %s", e.Verb, e.Got.Error(), strings.Join(want, " "))
}

// Unwrap returns the reply.
func (e *UnexpectedReplyError) Unwrap() error { return e.Got }

func unexpected(verb smtp.Verb, got *smtp.Reply) *UnexpectedReplyError {
	e := &UnexpectedReplyError{Verb: verb, Got: got}
	for _, v := range smtp.Verbs {
		if v.Verb == verb {
			e.Want = v.Replies
		}
	}
	return e
}

// refusal makes an error of a reply that is not positive: the reply itself, or an
// UnexpectedReplyError if it may not answer the verb.
func refusal(verb smtp.Verb, r *smtp.Reply) error {
	if verb.Permits(r.Code) || r.Code.Meaning() == "" {
		return r
	}
	return unexpected(verb, r)
}

// understood reports whether a reply is one that can be acted on: a failure of
// any kind, a code that the verb may get, or one that nobody knows with the
// first digit of one that it may get (RFC 5321, 4.3.2).
func understood(verb smtp.Verb, r *smtp.Reply) bool {
	if !r.Code.Positive() || verb == smtp.VerbUnknown || verb.Permits(r.Code) {
		return true
	}
	if r.Code.Meaning() != "" {
		return false
	}
	for _, want := range unexpected(verb, r).Want {
		if want/100 == r.Code/100 {
			return true
		}
	}
	return false
}

// isIntermediate reports whether a reply asks the client to go on (3yz): a text,
// once it is sent, is not accepted by such a reply.
func isIntermediate(r *smtp.Reply) bool { return r.Code/100 == 3 }

// say adds a command to what is written next. The error is about a value in
// the command, and nothing was added.
func (c *Conn) say(cmd smtp.Command) error {
	from := len(c.out)
	out, err := smtp.AppendCommand(c.out, cmd)
	if err != nil {
		return err
	}
	c.out = out
	c.trace.sent(cmd, out[from:len(out)-2])
	return nil
}

// lastWords is how long to wait for replies from a server that takes no more octets
// from us: it may have said why before it closed the connection.
const lastWords = 2 * time.Second

// ErrEarlyReply says that a reply came before what it would answer was said. The two
// sides no longer mean the same thing, and the connection is given up.
var ErrEarlyReply = errors.New("a reply came before it was asked for")

// listen takes note of whether the server has spoken out of turn, before something is
// said to it that no reply is owed for. It may do so to refuse, or to say farewell, but not
// to accept what it has not heard.
func (c *Conn) listen() { c.early = c.r.Buffered() > 0 }

// flush writes what was said. If that fails the server may have spoken before
// it went: the replies that are owed are still read, and then the failure is
// reported in their place.
func (c *Conn) flush(stage smtp.Verb) {
	if len(c.out) > 0 && c.dead == nil && c.late == nil {
		c.listen()
		if c.late = c.writeWithin(c.d.Timeouts.of(stage)); c.late == nil {
			_, c.late = c.nc.Write(c.out)
		}
	}
	c.out = c.out[:0]
}

// hear reads the reply to a verb. The error is about the connection; a refusal
// is no error. After 421 nothing more is heard (RFC 5321, 3.8).
func (c *Conn) hear(verb smtp.Verb) (*smtp.Reply, error) {
	if c.dead != nil {
		return nil, c.dead
	}
	limit := c.d.Timeouts.of(verb)
	if c.late != nil {
		limit = min(limit, lastWords)
	}
	if err := c.readWithin(limit); err != nil {
		return nil, c.fail(verb, err)
	}
	r, err := c.r.Reply()
	if err != nil {
		if c.late != nil {
			err = c.late
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, c.fail(verb, err)
	}
	c.forgetSecret(r)
	c.trace.received(r)
	early := c.early
	c.early = false
	switch {
	case early && r.Code.Positive():
		return nil, c.fail(verb, fmt.Errorf("%w: %q", ErrEarlyReply, r.Error()))
	case !understood(verb, r):
		return nil, c.fail(verb, unexpected(verb, r))
	case r.Code == smtp.CodeUnavailable:
		_ = c.fail(verb, r)
	}
	return r, nil
}

// ask says a command and reads its reply.
func (c *Conn) ask(cmd smtp.Command) (*smtp.Reply, error) {
	if c.dead != nil {
		return nil, c.dead
	}
	if err := c.say(cmd); err != nil {
		return nil, err
	}
	c.flush(cmd.Verb())
	return c.hear(cmd.Verb())
}

// demand is ask, with an error if the reply is not positive.
func (c *Conn) demand(cmd smtp.Command) (*smtp.Reply, error) {
	r, err := c.ask(cmd)
	if err == nil && !r.Code.Positive() {
		err = &ConnectionError{cmd.Verb(), refusal(cmd.Verb(), r)}
	}
	return r, err
}
