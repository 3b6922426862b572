// Package inbox is the transport into a test inbox: what comes to it goes no further,
// and is shown.
package inbox

import (
	"context"
	"errors"
	"syscall"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// Options set up a [Transport]. Store is needed.
type Options struct {
	Store *inbox.Store
	By    inbox.By // what inboxes are told apart by
	Name  string   // the inbox of mail that says nothing; "" is [inbox.Default]
}

// Transport puts messages into inboxes: one copy into each that the recipients of a
// delivery name. Every recipient is delivered, or deferred if the store cannot keep
// the message now.
type Transport struct{ o Options }

// New makes one.
func New(o Options) *Transport { return &Transport{o} }

// Deliver implements [transport.Transport].
func (t *Transport) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	s := transport.NewSheet(&d)
	for name, positions := range t.inboxes(&d) {
		o := t.put(ctx, &d, name, positions)
		for _, i := range positions {
			s.Decide(i, o)
		}
	}
	return s.Outcomes()
}

// inboxes are the inboxes of a delivery, and the positions of the recipients that go into each.
func (t *Transport) inboxes(d *transport.Delivery) map[string][]int {
	all := map[string][]int{}
	for i, r := range d.Recipients {
		name := t.o.By.Names(&d.Envelope.Source, []smtp.Path{d.Envelope.To[r].To}, t.o.Name)[0]
		all[name] = append(all[name], i)
	}
	return all
}

func (t *Transport) put(ctx context.Context, d *transport.Delivery, name string, positions []int) mail.Outcome {
	text, err := d.Content.Open()
	if err != nil {
		return transport.Unreadable(err)
	}
	defer text.Close()
	a := inbox.Arrival{Inbox: name, From: d.Envelope.From, Source: d.Envelope.Source, Of: d.Envelope.ID}
	for _, i := range positions {
		a.To = append(a.To, d.Envelope.To[d.Recipients[i]].To)
	}
	m, err := t.o.Store.Put(ctx, a, text)
	if err != nil {
		return fault(ctx, err)
	}
	return mail.Outcome{
		Fate:  mail.Delivered,
		Reply: transport.Local(smtp.CodeOK, smtp.EnhancedCode{2, 1, 5}, "In the inbox %s as %s", name, m.ID),
		Local: true,
	}
}

// fault is the outcome of a message that could not be kept.
func fault(ctx context.Context, err error) mail.Outcome {
	o := mail.Outcome{Fate: mail.Deferred, Local: true}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return transport.Interrupted()
	case errors.Is(err, inbox.ErrTooLarge):
		o.Fate = mail.Failed
		o.Reply = transport.Local(smtp.CodeExceededStorage, smtp.EnhancedCode{5, 2, 3}, "%v", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		o.Reply = transport.Local(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 3, 1}, "No space left to keep the message")
	default:
		o.Reply = transport.Local(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "The inbox cannot keep the message: %v", err)
	}
	return o
}
