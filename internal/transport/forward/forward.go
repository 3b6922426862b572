// Package forward carries mail that came to one of our addresses from elsewhere, and goes on
// elsewhere: as an alias, or after somebody who has moved.
//
// Whoever gets it sees us as the client of a sender whose domain does not name us (SPF), and perhaps
// a text that is not as it was signed. So the sender may be written anew, to an address of ours by
// which reports find back (SRS), and what we have found about the message when it came may be told
// and sealed (ARC, RFC 8617). All other mail goes as it is.
package forward

import (
	"context"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// Options are of a transport. What is nil is not done.
type Options struct {
	// Ours reports whether a domain, folded as mail.FoldDomain does, is one of ours. Needed.
	Ours func(domain string) bool
	// Sender returns the sender with whom mail is forwarded in place of another; an error defers it.
	Sender func(ctx context.Context, sender smtp.Path, now time.Time) (smtp.Path, error)
	// Seal returns the fields of a seal, for the top of a message; none if it is not to be sealed. An
	// error defers it.
	Seal func(text mail.Content, now time.Time) ([]byte, error)
}

// New returns a transport that carries mail by next, which it closes with itself. It is a
// [transport.Planner] if next is one.
func New(next transport.Transport, o Options) transport.Transport {
	t := &forwarder{next, o}
	if p, is := next.(transport.Planner); is {
		return &planned{t, p}
	}
	return t
}

type forwarder struct {
	next transport.Transport
	o    Options
}

// planned is a forwarder whose next plans.
type planned struct {
	*forwarder
	transport.Planner
}

// Close closes the transport behind.
func (t *forwarder) Close(ctx context.Context) error {
	switch next := t.next.(type) {
	case interface{ Close(context.Context) error }:
		return next.Close(ctx)
	case interface{ Close() error }:
		return next.Close()
	}
	return nil
}

// Deliver implements [transport.Transport]: those to whom it is forwarded get it in a
// transaction of their own.
func (t *forwarder) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	var own, others []int // places in d.Recipients
	for i, r := range d.Recipients {
		if t.forwards(d.Envelope, &d.Envelope.To[r]) {
			others = append(others, i)
		} else {
			own = append(own, i)
		}
	}
	if len(others) == 0 {
		return t.next.Deliver(ctx, d)
	}
	outcomes := make([]mail.Outcome, len(d.Recipients))
	if len(own) > 0 {
		t.part(ctx, d, own, outcomes)
	}
	if err := t.rewrite(ctx, &d); err != nil {
		s := transport.NewSheet(&d)
		s.DecideAll(transport.Unreadable(err))
		for _, i := range others {
			outcomes[i] = s.Outcomes()[i]
		}
		return outcomes
	}
	t.part(ctx, d, others, outcomes)
	return outcomes
}

// part delivers to some of the recipients.
func (t *forwarder) part(ctx context.Context, d transport.Delivery, places []int, outcomes []mail.Outcome) {
	all := d.Recipients
	d.Recipients = make([]int, len(places))
	for n, i := range places {
		d.Recipients[n] = all[i]
	}
	for n, o := range t.next.Deliver(ctx, d) {
		outcomes[places[n]] = o
	}
}

// forwards reports whether a recipient is not here, though an address of ours was given.
func (t *forwarder) forwards(e *mail.Envelope, r *mail.Recipient) bool {
	domain := func(p smtp.Path) string { return mail.FoldDomain(p.Domain()) }
	return e.Source.Client.IsValid() && e.Source.Login == "" && r.Into == "" && !r.Original.IsNull() && r.Original != r.To &&
		!t.o.Ours(domain(r.To)) && (e.From.IsNull() || !t.o.Ours(domain(e.From)))
}

// rewrite changes what is forwarded.
func (t *forwarder) rewrite(ctx context.Context, d *transport.Delivery) error {
	now := time.Now()
	if t.o.Sender != nil && !d.Envelope.From.IsNull() {
		from, err := t.o.Sender(ctx, d.Envelope.From, now)
		if err != nil {
			return err
		}
		e := *d.Envelope
		e.From = from
		d.Envelope = &e
	}
	if t.o.Seal == nil {
		return nil
	}
	seal, err := t.o.Seal(d.Content, now)
	if err == nil && len(seal) > 0 {
		d.Content = transport.Prepend(string(seal), d.Content)
	}
	return err
}
