package pipe

import (
	"context"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// Options are of a [Transport]. Of one that is made by [Aliases], Argv is not used.
type Options struct {
	// Argv is the program, by its absolute path, and its arguments. In an argument
	// these words stand for something; "%%" is a percent sign:
	//
	//	%{sender}     the sender's address, "" for the null sender
	//	%{recipient}  the recipient's address
	//	%{user}       its local part, without quotes
	//	%{domain}     its domain
	//	%{id}         the name of the message
	Argv []string
	// Dir is the directory that it runs in; "" is "/".
	Dir string
	// Env is all of its environment, as NAME=VALUE; PATH is /usr/bin:/bin without
	// one.
	Env []string
	// Timeout is how long it may take; 0: 10 minutes.
	Timeout time.Duration
	// NoFields leaves out the fields Return-Path and Delivered-To, which otherwise
	// come before the message.
	NoFields bool
	// Exec runs a command; nil is that of the system.
	Exec func(ctx context.Context, c Command) (Status, error)
}

// Transport gives messages to a program. It is made by [New] or [Aliases].
type Transport struct {
	opts Options
	// argv makes the command for a recipient. The reply of its error says why there
	// is none, and never will be.
	argv func(e *mail.Envelope, recipient int) ([]string, *smtp.Reply)
	unix bool // lines end with LF
}

var _ transport.Transport = (*Transport)(nil)

// New makes a transport. The error says what is wrong with Argv.
func New(o Options) (*Transport, error) {
	words, err := parseArgv(o.Argv)
	if err != nil {
		return nil, err
	}
	return &Transport{opts: o.orElse(), argv: words.fill}, nil
}

// Aliases makes a transport that runs for each recipient the command that an alias
// in the form of Unix names in mail.Recipient.Into, behind the "|": its words are
// those of [argv.Split], and no part of the envelope stands for anything in them.
// The lines of the message end with LF, as such programs expect. A command that
// needs a shell fails.
func Aliases(o Options) *Transport {
	return &Transport{opts: o.orElse(), argv: aliased, unix: true}
}

func (o Options) orElse() Options {
	if o.Exec == nil {
		o.Exec = Run
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Minute
	}
	if o.Dir == "" {
		o.Dir = "/"
	}
	return o
}

// Deliver implements [transport.Transport]. The fate of success is Delivered.
func (t *Transport) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	s := transport.NewSheet(&d)
	for i, recipient := range d.Recipients {
		s.Decide(i, t.one(ctx, &d, recipient))
	}
	return s.Outcomes()
}

// one runs the program for one recipient.
func (t *Transport) one(ctx context.Context, d *transport.Delivery, recipient int) mail.Outcome {
	if ctx.Err() != nil {
		return transport.Interrupted()
	}
	c := Command{Dir: t.opts.Dir, Env: t.env()}
	var wrong *smtp.Reply
	if c.Argv, wrong = t.argv(d.Envelope, recipient); wrong != nil {
		return local(mail.Failed, wrong.Code, wrong.Enhanced, "%s", wrong.Text)
	}
	content := d.Content
	if !t.opts.NoFields {
		content = transport.Prepend(transport.FinalFields(d.Envelope, recipient), content)
	}
	o := t.run(ctx, c, content)
	o.Host = c.Argv[0]
	return o
}

func (t *Transport) run(ctx context.Context, c Command, content mail.Content) mail.Outcome {
	text, err := content.Open()
	if err != nil {
		return transport.Unreadable(err)
	}
	defer text.Close()
	in := &watched{r: text}
	c.Input = in
	if t.unix {
		c.Input = transport.UnixText(in)
	}
	limited, cancel := context.WithTimeout(ctx, t.opts.Timeout)
	defer cancel()
	status, err := t.opts.Exec(limited, c)
	switch {
	case ctx.Err() != nil:
		return transport.Interrupted()
	case in.fault != nil:
		return transport.Unreadable(in.fault)
	case limited.Err() != nil:
		return local(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "%s took longer than %v", c.Argv[0], t.opts.Timeout)
	case err != nil:
		return local(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 5}, "%s cannot be run: %v", c.Argv[0], err)
	}
	return status.outcome(c.Argv[0])
}

func (t *Transport) env() []string {
	for _, e := range t.opts.Env {
		if len(e) > 5 && e[:5] == "PATH=" {
			return t.opts.Env
		}
	}
	return append([]string{"PATH=/usr/bin:/bin"}, t.opts.Env...)
}

func local(fate mail.Fate, code smtp.Code, enhanced smtp.EnhancedCode, format string, args ...any) mail.Outcome {
	return mail.Outcome{Fate: fate, Local: true, Reply: transport.Local(code, enhanced, format, args...)}
}

// exits are the statuses of sysexits.h, which say more than that it failed.
var exits = map[int]*smtp.Reply{
	64: {Code: 550, Enhanced: smtp.EnhancedCode{5, 3, 5}, Text: "command line usage error"},
	65: {Code: 550, Enhanced: smtp.EnhancedCode{5, 6, 0}, Text: "data format error"},
	66: {Code: 550, Enhanced: smtp.EnhancedCode{5, 3, 0}, Text: "cannot open input"},
	67: {Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1}, Text: "user unknown"},
	68: {Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 2}, Text: "host name unknown"},
	69: {Code: 550, Enhanced: smtp.EnhancedCode{5, 3, 0}, Text: "service unavailable"},
	70: {Code: 550, Enhanced: smtp.EnhancedCode{5, 3, 0}, Text: "internal software error"},
	71: {Code: 550, Enhanced: smtp.EnhancedCode{5, 3, 0}, Text: "system error"},
	72: {Code: 550, Enhanced: smtp.EnhancedCode{5, 3, 0}, Text: "critical system file missing"},
	73: {Code: 550, Enhanced: smtp.EnhancedCode{5, 2, 0}, Text: "cannot create output file"},
	74: {Code: 550, Enhanced: smtp.EnhancedCode{5, 3, 0}, Text: "input/output error"},
	75: {Code: 451, Enhanced: smtp.EnhancedCode{4, 3, 0}, Text: "temporary failure"},
	76: {Code: 550, Enhanced: smtp.EnhancedCode{5, 5, 0}, Text: "remote error in protocol"},
	77: {Code: 550, Enhanced: smtp.EnhancedCode{5, 7, 0}, Text: "permission denied"},
	78: {Code: 550, Enhanced: smtp.EnhancedCode{5, 3, 5}, Text: "configuration error"},
}

// outcome says what a status means: 0 delivered, 75 deferred, others failed; a
// program that was killed, or that never was, says nothing about the mail.
func (s Status) outcome(program string) mail.Outcome {
	said := s.text()
	switch {
	case s.Signal != "":
		return local(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "%s was ended by a signal: %s", program, s.Signal)
	case s.Exit == 0:
		return mail.Outcome{Fate: mail.Delivered, Reply: transport.Local(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "%s", orElse(said, "delivered"))}
	}
	r, known := exits[s.Exit]
	if !known {
		r = &smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 3, 0}, Text: fmt.Sprintf("exit status %d", s.Exit)}
	}
	fate := mail.Failed
	if r.Code.Temporary() {
		fate = mail.Deferred
	}
	return mail.Outcome{Fate: fate, Reply: transport.Local(r.Code, r.Enhanced, "%s", orElse(said, r.Text))}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
