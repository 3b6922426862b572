package milter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
)

// session follows one client.
type session struct {
	m    *Milter
	link *link
	mute bool // the program wants to hear no more of this client, or nothing from the beginning

	failure *policy.Opinion // it has failed
	failed  time.Time       // and when
	told    bool            // and that was told in this transaction

	connected bool
	hello     string // what the program was told, with the TLS then

	mailed  bool // the program is in a transaction
	done    bool // and wants to hear no more of it
	rcpts   map[smtp.Path]bool
	changes *changes // what it wants of the message
}

// scope is what an answer is about.
type scope int

const (
	ofConnection scope = iota
	ofMessage
	ofRecipient
)

// at does what a stage does, unless there is nobody to hear of it.
func (s *session) at(stage func() (policy.Opinion, error)) policy.Opinion {
	if s.mute {
		return policy.Opinion{}
	}
	if s.failure == nil {
		o, err := stage()
		if err == nil {
			return o
		}
		s.fail(err)
	}
	if s.told {
		return policy.Opinion{}
	}
	s.told = true
	return *s.failure
}

// fail ends the connection to the program: what it says later would be about something else.
func (s *session) fail(err error) {
	if s.link != nil {
		s.link.conn.Close()
		s.link = nil
	}
	s.failed = time.Now()
	s.failure = &policy.Opinion{Action: s.m.opts.Failure, Reason: "no answer: " + reason(err), Origin: s.m.opts.Origin}
	if s.m.opts.Failure == policy.Defer {
		s.failure.Reply = smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 7, 1}, "Service unavailable, try again later")
	}
}

// reason is an error in plain words.
func reason(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return "it is too slow"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "it has hung up"
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// tryAgain is after how long a program that has failed is asked again, by a client that is still there: else one
// that sends all day would be told all day that it is away.
const tryAgain = 30 * time.Second

// Connect implements [policy.Session].
func (s *session) Connect(ctx context.Context, v *policy.Visit) policy.Opinion {
	if s.m.opts.Listeners != nil && !slices.Contains(s.m.opts.Listeners, v.Source.Listener) {
		s.mute = true
	}
	return s.at(func() (policy.Opinion, error) { return s.connect(ctx, v) })
}

// connect tells of the client. A connection that was kept may have been closed meanwhile: then
// there is another one.
func (s *session) connect(ctx context.Context, v *policy.Visit) (policy.Opinion, error) {
	s.connected = true
	ask := func() (packet, error) {
		return s.ask(ctx, s.m.opts.Command, sayConnect, s.m.connectMacros(v), s.m.connection(v))
	}
	if s.link = s.m.take(); s.link != nil {
		p, err := ask()
		if err == nil {
			return s.opinion(p, ofConnection)
		}
		s.link.conn.Close()
	}
	l, err := s.m.dial(ctx)
	if err != nil {
		s.link = nil
		return policy.Opinion{}, err
	}
	s.link = l
	p, err := ask()
	if err != nil {
		return policy.Opinion{}, err
	}
	return s.opinion(p, ofConnection)
}

// Hello implements [policy.Session].
func (s *session) Hello(ctx context.Context, v *policy.Visit) policy.Opinion {
	return s.at(func() (policy.Opinion, error) { return s.upTo(ctx, v, cmdHello) })
}

// Mail implements [policy.Session].
func (s *session) Mail(ctx context.Context, v *policy.Visit) policy.Opinion {
	return s.at(func() (policy.Opinion, error) { return s.upTo(ctx, v, cmdMail) })
}

// upTo tells of all that comes before a stage, and of the stage: where another check has refused at
// one, nobody asked us, and it goes on all the same if that refusal does not hold for everybody.
func (s *session) upTo(ctx context.Context, v *policy.Visit, stage byte) (o policy.Opinion, err error) {
	if !s.connected {
		if o, err = s.connect(ctx, v); err != nil || s.mute || o.Action != policy.Pass {
			return o, err
		}
	}
	if now := v.Source.Hello + "\x00" + v.Source.TLS; v.Source.Hello != "" && now != s.hello {
		s.hello = now
		if o, err = s.stage(ctx, ofConnection, sayHello, helloMacros(v), texts(v.Source.Hello)); err != nil || s.mute || o.Action != policy.Pass {
			return o, err
		}
	}
	if s.mailed || stage == cmdHello {
		return policy.Opinion{}, nil
	}
	s.mailed = true
	return s.stage(ctx, ofMessage, sayMail, mailMacros(v), envelope(smtp.Mail{From: v.From, Params: v.Params}, v.From))
}

// Rcpt implements [policy.Session].
func (s *session) Rcpt(ctx context.Context, v *policy.Visit, to *smtp.Rcpt) policy.Opinion {
	return s.at(func() (policy.Opinion, error) {
		o, err := s.upTo(ctx, v, cmdRcpt)
		if err != nil || s.mute || s.done || o.Action != policy.Pass {
			return o, err
		}
		return s.rcpt(ctx, v, to)
	})
}

func (s *session) rcpt(ctx context.Context, v *policy.Visit, to *smtp.Rcpt) (policy.Opinion, error) {
	if s.rcpts == nil {
		s.rcpts = map[smtp.Path]bool{}
	}
	s.rcpts[to.To] = true
	return s.stage(ctx, ofRecipient, sayRcpt, rcptMacros(v, to.To), envelope(*to, to.To))
}

// stage asks one thing before the message comes.
func (s *session) stage(ctx context.Context, about scope, c command, macros []byte, parts ...[]byte) (policy.Opinion, error) {
	p, err := s.ask(ctx, s.m.opts.Command, c, macros, parts...)
	if err != nil {
		return policy.Opinion{}, err
	}
	return s.opinion(p, about)
}

// ask tells something and returns the answer: to go on, where there is none.
func (s *session) ask(ctx context.Context, limit time.Duration, c command, macros []byte, parts ...[]byte) (packet, error) {
	l := s.link
	l.since = time.Now()
	release := l.bound(ctx, limit)
	defer release()
	if err := l.tell(c, macros, parts...); err != nil {
		return packet{}, err
	}
	if !l.answers(c) {
		return packet{code: saysContinue}, nil
	}
	return l.hear(ctx, limit)
}

// opinion is what an answer means.
func (s *session) opinion(p packet, about scope) (o policy.Opinion, err error) {
	switch p.code {
	case saysContinue:
		return o, nil
	case saysAccept:
	case saysDiscard:
		if about == ofConnection {
			return o, errors.New("it wants to discard a connection")
		}
		o = policy.Opinion{Action: policy.Discard, Reason: "it says so"}
	case saysReject:
		o = policy.Opinion{Action: policy.Reject, Reason: "it says so"}
	case saysTempfail:
		o = policy.Opinion{Action: policy.Defer, Reason: "it says so"}
	case saysShutdown:
		o = policy.Opinion{Action: policy.Defer, Firm: true, Reason: "it shuts down"}
		o.Reply = smtp.Replyf(smtp.CodeUnavailable, smtp.EnhancedCode{4, 7, 0}, "Closing the connection")
	case saysReply:
		if o.Reply, err = parseReply(p.data); err != nil {
			return policy.Opinion{}, err
		}
		o.Action, o.Reason, o.Firm = policy.Reject, o.Reply.Error(), o.Reply.Code == smtp.CodeUnavailable
		if o.Reply.Code.Temporary() {
			o.Action = policy.Defer
		}
	default:
		return o, fmt.Errorf("it answers with %q", p.code)
	}
	switch {
	case about == ofConnection || p.code == saysShutdown:
		s.mute = true
	case about == ofMessage || o.Action == policy.Discard || p.code == saysAccept:
		s.done = true
	}
	return o, nil
}

// Reset implements [policy.Session]. What it has to say waits until something else is.
func (s *session) Reset() {
	if s.mailed && s.link != nil {
		_ = writePacket(s.link.w, cmdAbort) // a failure shows with what comes next
	}
	if s.changes != nil {
		s.changes.close()
	}
	s.mailed, s.done, s.told, s.rcpts, s.changes = false, false, false, nil, nil
	if s.failure != nil && time.Since(s.failed) >= tryAgain {
		s.failure, s.connected, s.hello = nil, false, "" // the next transaction begins from the beginning
	}
}

// Close implements [policy.Session].
func (s *session) Close() {
	s.Reset()
	l := s.link
	if s.link = nil; l == nil {
		return
	}
	if s.mute || l.version < versionOfReuse {
		l.bye()
		return
	}
	_ = l.conn.SetDeadline(time.Now().Add(time.Second))
	if errors.Join(writePacket(l.w, cmdNextClient), l.w.Flush()) != nil || l.r.Buffered() > 0 {
		l.conn.Close()
		return
	}
	s.m.keep(l)
}
