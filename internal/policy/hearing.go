package policy

import (
	"context"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/smtp"
)

// Hearing follows one connection. Make one with [Panel.Open]. Its methods are called one
// after the other. An error that refuses is a [*Refusal]; any other is one of reading
// the text.
type Hearing struct {
	panel    *Panel
	sessions []asked
	hello    greeting
	client   notes // what was said of the client
	message  notes // of the transaction
	junk     map[smtp.Path]bool
	open     bool // a transaction is
}

type asked struct {
	check string
	Session
}

// greeting is what a client has called itself, and how it spoke then.
type greeting struct{ name, tls string }

// notes are what was said in one scope.
type notes struct {
	connect, hello, all []Heard
}

// Open begins to follow a connection. It is nil if no check has anything to do with it.
func (p *Panel) Open(v *Visit) *Hearing {
	h := &Hearing{panel: p}
	for _, c := range p.Checks {
		if s := c.Open(v); s != nil {
			h.sessions = append(h.sessions, asked{c.Name(), s})
		}
	}
	if len(h.sessions) == 0 {
		return nil
	}
	return h
}

// Close ends the connection.
func (h *Hearing) Close() {
	h.Reset()
	for _, s := range h.sessions {
		s.Close()
	}
	h.sessions = nil
}

// Connect is asked before the greeting. Only a refusal that is Firm is an error now.
func (h *Hearing) Connect(ctx context.Context, v *Visit) error {
	said, err := h.ask(smtp.Greeting, v, nil, func(s Session) Opinion { return s.Connect(ctx, v) })
	h.client.connect = said
	return err
}

// Mail begins a transaction. Only a refusal that is Firm is an error now; Reset is
// to be called all the same.
func (h *Hearing) Mail(ctx context.Context, v *Visit) error {
	h.Reset()
	h.open = true
	v.Results = resultsOf(v.Results[:0], h.client.connect)
	if now := (greeting{v.Source.Hello, v.Source.TLS}); now != h.hello {
		h.hello = now
		said, err := h.ask(smtp.VerbEHLO, v, h.held(), func(s Session) Opinion { return s.Hello(ctx, v) })
		h.client.hello = said
		if err != nil {
			h.hello = greeting{}
			return err
		}
	} else {
		v.Results = resultsOf(v.Results, h.client.hello)
	}
	said, err := h.ask(smtp.VerbMAIL, v, h.held(), func(s Session) Opinion { return s.Mail(ctx, v) })
	h.message.all = said
	return err
}

// ask asks the checks in order. If something is held against the client already, and
// nobody wants it milder, there is nothing more to ask.
func (h *Hearing) ask(stage smtp.Verb, v *Visit, held *Heard, question func(Session) Opinion) (said []Heard, err error) {
	if held != nil && h.panel.AtMost == nil && allows(h.panel.Limit, held.Action) {
		return nil, nil
	}
	for _, s := range h.sessions {
		o := Heard{Check: s.check, Stage: stage, Opinion: question(s.Session)}
		if !o.Says() {
			continue
		}
		if o.Action.refuses() && o.Firm {
			return said, &Refusal{o}
		}
		said = append(said, o)
		v.Results = append(v.Results, o.Results...)
		if o.Action >= Discard {
			break
		}
	}
	return said, nil
}

func resultsOf(to []senderauth.MethodResult, said []Heard) []senderauth.MethodResult {
	for i := range said {
		to = append(to, said[i].Results...)
	}
	return to
}

// held is the refusal that waits for a recipient, nil if there is none.
func (h *Hearing) held() *Heard {
	for _, said := range [][]Heard{h.client.connect, h.client.hello, h.message.all} {
		for i := range said {
			if said[i].Action.refuses() && said[i].Stage != smtp.VerbRCPT {
				return &said[i]
			}
		}
	}
	return nil
}

// allows reports whether a limit permits an action.
func allows(l *Limit, a Action) bool { return l == nil || a <= l.Action }

// Rcpt is asked for each recipient that is somebody.
func (h *Hearing) Rcpt(ctx context.Context, v *Visit, to *smtp.Rcpt) error {
	limit := h.panel.limitOf(to.To)
	if held := h.held(); held != nil && !isPostmaster(to.To) {
		if allows(limit, held.Action) {
			return &Refusal{*held}
		}
	}
	for _, s := range h.sessions {
		o := Heard{Check: s.check, Stage: smtp.VerbRCPT, Opinion: s.Rcpt(ctx, v, to)}
		if o.Action.refuses() && (o.Firm || allows(limit, o.Action)) {
			return &Refusal{o}
		}
		if !o.Says() {
			continue
		}
		if !allows(limit, o.Action) {
			o.Limited = limit
		}
		h.note(&o, to.To)
	}
	return nil
}

// note keeps what was said of a recipient: of many, what is said of each is not kept.
func (h *Hearing) note(o *Heard, to smtp.Path) {
	if junks(o.Action) && allows(o.Limited, Quarantine) {
		if h.junk == nil {
			h.junk = map[smtp.Path]bool{}
		}
		h.junk[to] = true
	}
	if len(h.message.all) < maxHeard {
		h.message.all = append(h.message.all, *o)
	}
}

// maxHeard is how many opinions of recipients are kept of a transaction.
const maxHeard = 100

// junks reports whether an action that cannot be carried out makes mail junk: not one that only
// wanted to wait.
func junks(a Action) bool { return a == Quarantine || a == Discard || a == Reject }

func isPostmaster(p smtp.Path) bool { return mail.FoldLocal(p.Mailbox()) == "postmaster" }

// Reset ends the transaction, if there is one.
func (h *Hearing) Reset() {
	if !h.open {
		return
	}
	h.open = false
	h.message, h.junk = notes{}, nil
	for _, s := range h.sessions {
		s.Reset()
	}
}
