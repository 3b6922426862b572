package dispatch

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// flight is a delivery under way, with all that it needs of the loop.
type flight struct {
	desk    *Desk
	id      uint64
	letter  *letter
	owner   spool.Owner // by whose lease
	carrier transport.Transport
	planner transport.Planner // not nil: the delivery needs a plan, and has none
	transport.Delivery
}

// landing is what a flight brings back.
type landing struct {
	*flight
	outcomes []mail.Outcome
	made     *transport.Plan // on the way
	damage   error           // the text is not what was written
	missing  bool            // there is no such message any more
}

// start sets a delivery going.
func (l *loop) start(d *queue.Delivery, now time.Time) {
	lt := l.letters[d.Message]
	for _, i := range d.To {
		lt.find(i).phase = flying
	}
	f := &flight{desk: l.Desk, id: d.ID, letter: lt, owner: l.has, carrier: l.Transports[d.Hop.Transport], Delivery: transport.Delivery{
		Envelope: lt.env, Recipients: d.To, Hop: d.Hop, Plan: l.planFor(d.Hop, now),
	}}
	if lt.text != nil {
		f.Content = lt.text
	}
	if sabotage.Is("the text of another letter is sent") {
		f.Content = l.anyText(f.Content)
	}
	if sabotage.Is("the last octets are not sent") && lt.text != nil {
		f.Content = lt.text[:len(lt.text)-20]
	}
	if f.Plan == nil {
		f.planner, _ = f.carrier.(transport.Planner)
	}
	l.aside(func() func(*loop) {
		landed := f.fly(l.ctx)
		return func(l *loop) { l.land(&landed, time.Now()) }
	})
}

// fly carries the mail. It runs beside the loop.
func (f *flight) fly(ctx context.Context) landing {
	landed := landing{flight: f}
	watch := &watched{Content: f.Content}
	switch err := f.open(ctx, watch); {
	case errors.Is(err, spool.ErrDamaged):
		landed.damage = err
		return landed
	case errors.Is(err, spool.ErrNotFound):
		landed.missing = true
		return landed
	case err != nil:
		landed.outcomes = f.all(transport.Unreadable(err))
		return landed
	}
	if f.carrier == nil {
		landed.outcomes = f.all(noTransport(f.Hop))
		return landed
	}
	if f.planner != nil {
		made := f.planner.Plan(ctx, f.Hop)
		f.Plan, landed.made = &made, &made
	}
	if !f.desk.term.Load().holds(f.owner) { // it took too long to get so far, and another node may have it
		landed.outcomes = f.all(leaseOver())
		return landed
	}
	if _, kept := watch.Content.(text); !kept {
		f.Content = watch
	}
	landed.outcomes = f.carrier.Deliver(ctx, f.Delivery)
	if err := watch.damage.Load(); err != nil {
		landed.damage = *err
	}
	return landed
}

// open finds the content, if it is not in memory.
func (f *flight) open(ctx context.Context, w *watched) (err error) {
	if w.Content == nil {
		w.Content, err = f.desk.opts.Spool.Open(ctx, f.Envelope.ID)
	}
	return err
}

// all gives one outcome to all recipients.
func (f *flight) all(o mail.Outcome) []mail.Outcome {
	s := transport.NewSheet(&f.Delivery)
	s.DecideAll(o)
	return s.Outcomes()
}

func leaseOver() mail.Outcome {
	return mail.Outcome{
		Fate: mail.Deferred, Local: true, OurLimit: true,
		Reply: transport.Local(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "the lease was over before the delivery began"),
	}
}

func noTransport(h mail.Hop) mail.Outcome {
	text := "No route is configured for this recipient"
	if h.Transport != "" {
		text = "There is no transport of the name " + h.Transport
	}
	return mail.Outcome{
		Fate: mail.Deferred, Local: true,
		Reply: transport.Local(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 5}, "%s", text),
	}
}

// watched is a content that remembers if it was found to be damaged.
type watched struct {
	mail.Content
	damage atomic.Pointer[error]
}

func (w *watched) Open() (io.ReadCloser, error) {
	r, err := w.Content.Open()
	if err != nil {
		w.note(err)
		return nil, err
	}
	return &watchedReader{r, w}, nil
}

func (w *watched) note(err error) {
	if errors.Is(err, spool.ErrDamaged) {
		w.damage.Store(&err)
	}
}

type watchedReader struct {
	io.ReadCloser
	w *watched
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil {
		r.w.note(err)
	}
	return n, err
}

// land takes what came of a delivery.
func (l *loop) land(f *landing, now time.Time) {
	if f.made != nil {
		l.renew(f)
	}
	for i := range f.outcomes {
		if sabotage.Is("what the first recipient met counts for all") {
			f.outcomes[i].Fate, f.outcomes[i].Reply = f.outcomes[0].Fate, f.outcomes[0].Reply
		}
	}
	decision, _ := l.sched.Settle(now, f.id, f.outcomes)
	switch {
	case f.damage != nil:
		l.damaged(f.letter, f.damage, now)
		if f.outcomes == nil {
			l.forget(f.letter, decision)
		} else {
			l.record(decision, now, true)
		}
	case f.missing:
		l.opts.Log.Warn("a message is gone that was to be sent", "id", f.letter.env.ID)
		l.forget(f.letter, decision)
	default:
		l.record(decision, now, true)
	}
}

// renew keeps the plan that a delivery has made because the old one was over.
func (l *loop) renew(f *landing) {
	key := keyOf(f.Hop)
	if p := l.plans[key]; p != nil && !p.asking {
		p.Plan = *f.made
	} else if p == nil && len(l.plans) < maxPlans {
		l.plans[key] = &plan{Plan: *f.made, hop: f.Hop}
	}
}

// damaged raises that a message is not what was written. The spool keeps it in
// quarantine.
func (l *loop) damaged(lt *letter, err error, now time.Time) {
	l.opts.Log.Error("a message is damaged", "id", lt.env.ID, "error", err)
	l.note(event.Entry{ID: lt.env.ID, At: now, Event: &event.Damaged{What: err.Error()}})
}

// note puts an entry into the journal that belongs to no settlement.
func (l *loop) note(e event.Entry) {
	l.notes = append(l.notes, spool.Fact{ID: e.ID, At: e.At, Data: event.Append(nil, e.Event)})
	l.opts.Observe(e)
}

// forget lets go of recipients of whom the spool knows nothing more.
func (l *loop) forget(lt *letter, decision queue.Decision) {
	for i := range decision.Changes {
		to := decision.Changes[i].Recipient
		lt.find(to).phase = gone
		l.back = append(l.back, spool.Ref{ID: lt.env.ID, Recipient: to})
	}
	l.prune(lt)
}
