package intake

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// transaction is one message on its way in.
type transaction struct {
	desk   *Desk
	o      *Options
	visit  *policy.Visit
	params smtp.MailParams
	relay  bool // mail for others is taken
	inside bool // it comes from this host, and policy is not asked
	again  bool // it may have been taken in before
	began  time.Time
	draft  spool.Draft
	to     []mail.Recipient

	index   map[place]int // of the first of to; see at
	indexed int           // how many those are

	hearing *policy.Hearing // nil: policy is not asked
	judged  *policy.Verdict // of it; nil: there is none

	submitted *submitted // nil: it comes from another server, or from this host
}

// begin opens the draft: if there is no room for the message, that is told before
// it is sent.
func (t *transaction) begin(ctx context.Context) (err error) {
	if t.visit.Source.Listener != mail.FromReport {
		if err := t.desk.welcome(); err != nil {
			return err
		}
	}
	t.began = time.Now()
	t.draft, err = t.o.Spool.Begin(ctx, t.params.Size)
	if err == nil {
		t.visit.ID = t.draft.ID()
	}
	return err
}

// Abort implements [smtpserver.Transaction].
func (t *transaction) Abort() {
	t.draft.Abort()
	if t.hearing != nil {
		t.hearing.Reset()
	}
}

// Data implements [smtpserver.Transaction].
func (t *transaction) Data(ctx context.Context, body io.Reader) (*smtp.Reply, error) {
	defer t.Abort()
	now := time.Now()
	r := reception{draft: t.draft, header: header{mailbox: t.has}}
	if err := t.receive(ctx, &r, body, now); err != nil {
		if r.err == nil && !isReply(err) { // of the client's side, which the server knows best
			return nil, err
		}
		return nil, t.o.refuse(t.visit, smtp.VerbDATA, smtp.Path{}, err)
	}
	r.header.End()
	err := t.judge(ctx, &r)
	switch {
	case err == nil && t.judged != nil && t.judged.Action == policy.Discard:
		return t.discard(ctx, now, &r)
	case err == nil:
		err = t.commit(ctx, now, &r)
	}
	if err != nil {
		return nil, t.o.refuse(t.visit, smtp.Dot, smtp.Path{}, err)
	}
	return &smtp.Reply{Code: smtp.CodeOK, Enhanced: smtp.EnhancedCode{2, 0, 0}, Text: "queued as " + t.draft.ID().String()}, nil
}

// receive takes the text in.
func (t *transaction) receive(ctx context.Context, r *reception, body io.Reader, now time.Time) error {
	if t.submitted != nil {
		return t.mend(ctx, r, body, now)
	}
	_, err := io.Copy(r, body)
	return err
}

// trace is the Received field (RFC 5321, 4.4).
func (t *transaction) trace(now time.Time) string {
	s := &t.visit.Source
	f := message.Received{
		Helo: s.Hello, Addr: s.Client.Addr(), By: t.o.Hostname, With: s.Protocol, TLS: s.TLS,
		ID: t.draft.ID().String(), Date: now,
	}
	if t.inside {
		f.Helo = "localhost"
	}
	if t.submitted != nil && t.submitted.how.HideClient {
		f.Helo, f.Addr = t.o.Hostname, netip.Addr{}
	}
	if len(t.visit.To) == 1 { // of several, none may learn of another (RFC 5321, 7.2)
		f.For = t.visit.To[0].String()
	}
	return f.String()
}

// judge refuses what goes in circles, and asks policy.
func (t *transaction) judge(ctx context.Context, r *reception) error {
	switch {
	case r.header.Hops >= t.o.MaxHops:
		return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 4, 6}, "The message has passed %d hosts: it goes in circles", r.header.Hops)
	case r.header.Loop:
		return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 4, 6}, "The message was delivered to its recipient before: it goes in circles")
	case t.hearing == nil:
		return nil
	}
	return t.hear(ctx, r)
}

// commit makes the message ours, and hands it on.
func (t *transaction) commit(ctx context.Context, now time.Time, r *reception) error {
	c := spool.Commit{Envelope: t.envelope(now, &r.header), Prepend: traced(t.signature(t.draft, now)+t.fields(), t.trace(now)), For: t.o.Owner()}
	facts := t.facts(&c.Envelope, t.draft.Size()+int64(len(c.Prepend)))
	for _, f := range facts {
		c.Facts = append(c.Facts, spool.Fact{ID: t.draft.ID(), At: now, Data: event.Append(nil, f)})
	}
	text := t.handed(&c)
	defer t.desk.kept.Add(-int64(len(text)))
	if sabotage.Is("250 without a commit") {
		return nil
	}
	lease, err := t.draft.Commit(ctx, c)
	if errors.Is(err, spool.ErrInDoubt) {
		t.o.Arrived(Arrival{Owner: c.For, Doubt: t.refs()})
		if sabotage.Is("a commit in doubt is answered 250") {
			return nil
		}
	}
	if err != nil && !sabotage.Is("250 although the commit failed") {
		return err
	}
	for _, f := range facts {
		t.o.Observe(event.Entry{ID: t.draft.ID(), At: now, Event: f})
	}
	t.o.Arrived(Arrival{Owner: c.For, Lease: lease, Text: text, Due: c.Envelope.HoldUntil})
	return nil
}

// refs are all recipients of the message.
func (t *transaction) refs() []spool.Ref {
	refs := make([]spool.Ref, len(t.to))
	for i := range refs {
		refs[i] = spool.Ref{ID: t.draft.ID(), Recipient: i}
	}
	return refs
}

// traced are the fields above what came in.
func traced(fields, trace string) []byte {
	if sabotage.Is("no trace is left") {
		trace = ""
	}
	return []byte(fields + trace)
}

// handed is the content as it will be committed, for whoever sends it now; nil if
// nobody does, or it is large.
func (t *transaction) handed(c *spool.Commit) []byte {
	draft, able := t.draft.(spool.InMemory)
	size := int64(len(c.Prepend)) + t.draft.Size()
	if !able || c.For == (spool.Owner{}) || size > int64(t.o.KeepUpTo) {
		return nil
	}
	body, is := draft.Memory()
	if !is {
		return nil
	}
	if t.desk.kept.Add(size) > keepAtOnce {
		t.desk.kept.Add(-size)
		return nil
	}
	return append(append(make([]byte, 0, size), c.Prepend...), body...)
}

// facts are what the journal is told of a message that is taken in.
func (t *transaction) facts(e *mail.Envelope, size int64) []event.Event {
	accepted := event.NewAccepted(e, size)
	if t.submitted != nil {
		accepted.Repaired = strings.Join(t.submitted.mended, ", ")
	}
	facts := []event.Event{accepted}
	if t.judged != nil && len(t.judged.Opinions) > 0 {
		facts = append(facts, t.judgement())
	}
	if !t.again {
		return facts
	}
	for i := range e.To {
		facts = append(facts, &event.SecondCopy{
			Recipient: i, To: e.To[i].To, Why: "the program ended while it took the message from the drop directory",
		})
	}
	return facts
}

// envelope is what the client has asked for (RFC 1870, 2852, 3461, 4865, 6152,
// 6531, 6710, 8689).
func (t *transaction) envelope(now time.Time, h *header) mail.Envelope {
	p := &t.params
	e := mail.Envelope{
		From: t.visit.From, To: t.to, Arrived: now, Source: t.visit.Source,
		Body: p.Body, UTF8: p.UTF8, RequireTLS: p.RequireTLS, Return: p.Return, EnvID: p.EnvID, Priority: p.Priority,
		HoldUntil: p.HoldUntil, Hops: h.Hops, Subject: h.Subject, MessageID: h.MessageID,
	}
	if p.HoldFor > 0 {
		e.HoldUntil = now.Add(p.HoldFor)
	}
	if p.By.Mode != smtp.ByNone { // from when MAIL was said (RFC 2852, 4)
		e.By, e.ByMode, e.ByTrace = t.began.Add(p.By.Within), p.By.Mode, p.By.Trace
	}
	return e
}

// reception is a text that is coming in: it goes into the draft, and its header is
// looked at.
type reception struct {
	draft  io.Writer
	header header
	err    error // of the draft
}

// Write implements [io.Writer].
func (r *reception) Write(p []byte) (int, error) {
	n, err := r.draft.Write(p)
	if err != nil {
		r.err = err
		return n, err
	}
	if !r.header.done {
		r.header.Write(p)
	}
	return n, nil
}
