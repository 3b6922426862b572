package intake

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// Submission is a message from a program on this host.
type Submission struct {
	Source mail.Source // Listener and Login are what is known
	From   smtp.Path
	Params smtp.MailParams
	To     []smtp.Rcpt
	Text   io.Reader // lines ended by CRLF
}

// Submitted is what became of a submission.
type Submitted struct {
	ID      mail.ID
	Refused []Refusal // of the recipients
}

// Refusal is a recipient that was refused, and why.
type Refusal struct {
	To    smtp.Path
	Reply *smtp.Reply
}

// ErrNoRecipients says that every recipient of a submission was refused, or that
// there was none.
var ErrNoRecipients = errors.New("no recipient is left")

// Submit takes a message in as the network does, but that its sender may write to
// anybody and policy is not asked. When it returns without error the message is
// ours, for all recipients but those refused. Errors are [ErrNoRecipients], that of
// Text, and [*smtp.Reply].
func (d *Desk) Submit(ctx context.Context, s Submission) (Submitted, error) {
	o := d.opts.Load()
	t := &transaction{desk: d, o: o, visit: &policy.Visit{Source: s.Source, From: s.From}, params: s.Params, relay: true, inside: true}
	if err := t.begin(ctx); err != nil {
		return Submitted{}, o.refuse(t.visit, smtp.VerbMAIL, smtp.Path{}, err)
	}
	defer t.Abort()
	done := Submitted{ID: t.draft.ID()}
	for i := range s.To {
		if _, err := t.Rcpt(ctx, s.To[i].To, &s.To[i].Params); err != nil {
			done.Refused = append(done.Refused, Refusal{s.To[i].To, o.reply(err)})
		}
	}
	if len(t.to) == 0 {
		return done, ErrNoRecipients
	}
	_, err := t.Data(ctx, s.Text)
	return done, err
}

// Prepare writes a delivery report into a draft, and says how it is to be
// committed; whoever calls it does that together with what the report tells of.
// original is the message that it is about; nil if there is none to be had. An
// error that is a [*smtp.Reply] 5yz says that the report's recipient gets no mail here.
func (d *Desk) Prepare(ctx context.Context, report *dsn.Report, original mail.Content) (spool.Draft, spool.Commit, error) {
	o := d.opts.Load()
	t := &transaction{desk: d, o: o, visit: &policy.Visit{Source: mail.Source{Listener: mail.FromReport}}, relay: true, inside: true}
	if err := t.begin(ctx); err != nil {
		return nil, spool.Commit{}, err
	}
	commit, err := t.write(ctx, report, original)
	if err != nil {
		t.Abort()
		return nil, spool.Commit{}, err
	}
	return t.draft, commit, nil
}

// write writes the report, to whoever gets the mail of its recipient.
func (t *transaction) write(ctx context.Context, report *dsn.Report, original mail.Content) (spool.Commit, error) {
	now := time.Now()
	if err := t.addressee(ctx, report.To); err != nil {
		return spool.Commit{}, err
	}
	r := reception{draft: t.draft, header: header{mailbox: t.has}}
	needs, err := dsn.Write(&r, report, original)
	if err != nil {
		return spool.Commit{}, err
	}
	r.header.End()
	t.params.Body, t.params.UTF8, t.params.RequireTLS = needs.Body, needs.UTF8, report.RequireTLS
	c := spool.Commit{Envelope: t.envelope(now, &r.header), Prepend: []byte(t.signature(t.draft, now) + t.trace(now)), For: t.o.Owner()}
	accepted := event.NewAccepted(&c.Envelope, t.draft.Size()+int64(len(c.Prepend)))
	c.Facts = []spool.Fact{{ID: t.draft.ID(), At: now, Data: event.Append(nil, accepted)}}
	return c, nil
}

// addressee puts the recipient of a report into the envelope. Who writes from an
// address that gets no mail here hears nothing: the error is then a lasting refusal.
func (t *transaction) addressee(ctx context.Context, to smtp.Path) error {
	final, _, err := t.resolve(ctx, to)
	if err != nil {
		return err
	}
	return t.add(to, final, &smtp.RcptParams{Notify: smtp.NotifyNever}) // RFC 3461, 6.1
}
