package dispatch

import (
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/spool"
)

// altered takes an order that the spool has carried out. Recipients that nothing
// is being done with are given back, and leased again with what the order made of
// them. What is in flight hears of it when it is settled.
func (l *loop) altered(items []spool.Item, o spool.Order) {
	now := time.Now()
	for i := range items {
		it := &items[i]
		if _, changed := o.Apply(it.Standing); !changed {
			continue
		}
		l.opts.Observe(event.Entry{ID: it.Envelope.ID, At: o.At, Event: ordered(it, &o)})
		l.drop(it)
	}
	l.lookAt(now)
}

// drop gives back one recipient, if nothing is being done with it.
func (l *loop) drop(it *spool.Item) {
	lt := l.letters[it.Envelope.ID]
	if lt == nil {
		return
	}
	index := []int{it.Standing.Recipient}
	switch p := lt.find(it.Standing.Recipient); {
	case p == nil:
	case p.phase == inSchedule:
		l.unschedule(lt, index)
		l.giveBack(lt, index)
	case p.phase == planning:
		l.giveBack(lt, index)
	}
}

// ordered is the event of an order about a recipient.
func ordered(it *spool.Item, o *spool.Order) *event.Ordered {
	return &event.Ordered{
		Recipient: it.Standing.Recipient, To: it.Envelope.To[it.Standing.Recipient].To,
		Order: o.Verb.String(), By: o.By, Reason: o.Reason, Via: o.Via,
	}
}
