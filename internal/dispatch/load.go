package dispatch

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// arrive takes a message that was just committed.
func (l *loop) arrive(a Arrival) {
	switch {
	case len(a.Doubt) > 0:
		l.doubtful(a)
	case a.Lease == nil:
		l.lookAt(maxTime(a.Due, time.Now()))
	case a.Owner != l.has: // its lease ended with that epoch; it is found in the spool
		l.lookAt(time.Now())
	case l.closing || l.holds():
		for i := range a.Lease.Recipients {
			l.back = append(l.back, spool.Ref{ID: a.Lease.Envelope.ID, Recipient: a.Lease.Recipients[i].Recipient})
		}
	default:
		l.load(a.Lease, a.Text, time.Now())
	}
}

// doubtful gives back what may have been leased without anybody hearing of it.
func (l *loop) doubtful(a Arrival) {
	if a.Owner == l.has && !sabotage.Is("a commit in doubt leaves a lease") {
		l.back = append(l.back, a.Doubt...)
	}
	l.lookAt(time.Now().Add(again))
}

// load takes a lease into the window. It returns how many recipients there was no
// room for.
func (l *loop) load(lease *spool.Lease, bytes []byte, now time.Time) (refused int) {
	lt, fresh := l.hold(lease, bytes)
	l.expanded(lt, fresh, now)
	var ready []queue.Recipient
	for _, i := range fresh {
		p := lt.find(i)
		if lt.env.To[i].Expanded {
			continue
		}
		if to := l.address(lt, p); l.planned(lt, p, &to, now) {
			ready = append(ready, to)
		}
	}
	return l.add(lt, ready, now)
}

// address says where a recipient goes.
func (l *loop) address(lt *letter, p *place) queue.Recipient {
	to := queue.Recipient{Index: p.index, Notify: lt.env.To[p.index].Notify, State: p.state()}
	hop, into := route.Into(&lt.env.To[p.index])
	switch {
	case p.was != nil && p.was.Order.Verb == spool.Reroute:
		to.Hop = l.rerouted(p.was.Order.Via, route.Ask(lt.env, p.index))
	case into:
		to.Hop = hop
	default:
		// Without a route the hop names no transport, and so nothing that carries
		// it: the mail waits until a route is configured.
		to.Hop, _ = l.Router.Route(route.Ask(lt.env, p.index))
	}
	return to
}

// expanded records of aliases that others took their place: whatever an operator
// has ordered meanwhile, there is nothing to send but the report (RFC 3461,
// 5.2.7.3 (c)).
func (l *loop) expanded(lt *letter, fresh []int, now time.Time) {
	d := queue.Decision{Message: lt.env.ID}
	for _, i := range fresh {
		if lt.env.To[i].Expanded {
			d.Changes = append(d.Changes, queue.Change{
				Outcome: mail.Outcome{Recipient: i, Fate: mail.Expanded, At: now, Local: true}, Report: mail.ReportExpanded,
			})
		}
	}
	l.record(d, now, false)
}

// add puts recipients whose way is known into the schedule, and carries out
// orders that they came with. What there is no room for is given back.
func (l *loop) add(lt *letter, to []queue.Recipient, now time.Time) (refused int) {
	if len(to) == 0 {
		return 0
	}
	job := queue.NewJob(lt.env)
	if lt.env.Source.Login != "" {
		job.Sender = lt.env.Source.Login
	}
	job.To = to
	for i := range to {
		lt.find(to[i].Index).phase = inSchedule
	}
	none := l.sched.Add(now, job)
	l.giveBack(lt, none)
	for i := range to {
		if p := lt.find(to[i].Index); p.phase == inSchedule && p.was != nil && p.was.Order.Verb != 0 {
			l.obey(lt, p, now)
		}
	}
	return len(none)
}

// obey carries out an operator's order that a recipient was leased with, if
// nothing was tried since.
func (l *loop) obey(lt *letter, p *place, now time.Time) {
	o := &p.was.Order
	if p.was.Last.At.After(o.At) {
		return
	}
	switch o.Verb {
	case spool.Bounce:
		l.record(l.sched.Bounce(now, lt.env.ID, []int{p.index}, returned(o)), now, false)
	case spool.Retry:
		l.sched.RetryNow(now, lt.env.ID, []int{p.index})
	}
}

// returned is what the sender of mail is told that an operator returns.
func returned(o *spool.Order) *smtp.Reply {
	if o.Reason == "" {
		return nil
	}
	return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 0, 0}, "Returned by the postmaster: %s", o.Reason)
}

// destination is the name under which mail for a hop waits in the spool.
func destination(h mail.Hop) string {
	return h.Destination[:min(len(h.Destination), spool.MaxName)]
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
