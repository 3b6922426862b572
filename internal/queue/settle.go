package queue

import (
	"cmp"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Settle says what the outcomes of a delivery mean: one Change for each of its
// recipients, whatever the outcomes are. A recipient without an outcome counts
// as tried and deferred; an outcome of somebody else is passed over; of two the
// first holds. It returns false for a delivery that is not under way.
func (s *Schedule) Settle(now time.Time, id uint64, outcomes []mail.Outcome) (Decision, bool) {
	p := s.flights[id]
	if p == nil {
		return Decision{}, false
	}
	t := s.tick(now)
	crowded := s.house.full()
	g := signsOf(outcomes)
	s.learn(p, g, t)
	s.land(p)
	find := finder{outcomes: outcomes}
	decision := s.revise(p, t, func(to *rcpt) ruling {
		return s.conclude(p, to, find.outcome(to.index, t), g, t)
	})
	if p.site != p.dest.at {
		s.refresh(&p.site.node, t)
	}
	if crowded {
		s.favour(p.site)
	}
	return decision, true
}

// finder finds outcomes, which mostly come in the order of the recipients.
type finder struct {
	outcomes []mail.Outcome
	next     int
	byIndex  map[int]int // made when the order is another
}

func (f *finder) outcome(index int, now instant) mail.Outcome {
	if f.next < len(f.outcomes) && f.outcomes[f.next].Recipient == index {
		f.next++
		return tidy(f.outcomes[f.next-1], now)
	}
	if f.byIndex == nil {
		f.byIndex = make(map[int]int, len(f.outcomes))
		for i := len(f.outcomes) - 1; i >= 0; i-- {
			f.byIndex[f.outcomes[i].Recipient] = i
		}
	}
	if i, ok := f.byIndex[index]; ok {
		return tidy(f.outcomes[i], now)
	}
	return tidy(mail.Outcome{Recipient: index, Local: true}, now)
}

// tidy sees to it that an outcome keeps the promises of [mail.Outcome].
func tidy(o mail.Outcome, now instant) mail.Outcome {
	if o.Fate == 0 {
		o.Fate = mail.Deferred
	}
	if o.At.IsZero() {
		o.At = now.time()
	}
	if o.Reply == nil && (o.Fate == mail.Deferred || o.Fate == mail.Failed || o.Fate == mail.Expired) {
		o.Local = true
		o.Reply = smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "the delivery said nothing of this recipient")
	}
	return o
}

// conclude says what an outcome means for a recipient.
func (s *Schedule) conclude(p *parcel, to *rcpt, o mail.Outcome, g signs, now instant) ruling {
	if o.Fate.Final() {
		return tell(Change{Outcome: o, Hop: p.dest.hop, Report: p.msg.owes(to, o)})
	}
	if !o.OurLimit {
		to.chance = 0 // he has had it
	}
	switch {
	case o.OurLimit:
	case o.HostDown && g.down: // the destination's time moves, and not the mail's
		to.reply = o.Reply
	default:
		to.tries++
		to.reply = o.Reply
		to.next = now.add(p.dest.route.conf.Retry.after(to.tries, idDice(s.opts.Seed, p.msg.id, to.tries)))
	}
	fate, delayed := p.dest.route.age(p.msg, to, now)
	if o.Stuck && !p.dest.route.tooLate(p.msg, now) {
		fate = mail.Deferred // it is our fault, and no time makes it the recipient's
	}
	o.Fate = fate
	if fate == mail.Expired && p.dest.route.tooLate(p.msg, now) {
		o.Reply, o.Local = tooLateReply(), true
	}
	c := Change{Outcome: o, Hop: p.dest.hop}
	if fate == mail.Expired {
		c.Report = p.msg.owes(to, o)
	} else if delayed {
		c.Report = mail.ReportDelayed
	}
	return tell(c)
}

// ruling is what becomes of one recipient. The zero value is that it waits on.
type ruling struct {
	change Change
	told   bool // the change belongs into the decision
	leaves bool // the window
}

// tell is that a recipient leaves the window with a change.
func tell(c Change) ruling { return ruling{change: c, told: true, leaves: true} }

// revise decides anew on each recipient of a parcel. Those who stay are seated
// by their new times.
func (s *Schedule) revise(p *parcel, now instant, rule func(*rcpt) ruling) Decision {
	m := p.msg
	s.leave(p)
	decision := Decision{Message: m.id}
	seats := seating{msg: m}
	for i := range p.to {
		to := &p.to[i]
		r := rule(to)
		if r.told {
			p.complete(&r.change, to)
			decision.Changes = append(decision.Changes, r.change)
		}
		if r.leaves {
			s.count(p.dest, m, -1)
		} else {
			seats.add(p.dest, *to)
		}
	}
	s.seat(&seats, now)
	s.refresh(&p.dest.node, now)
	if m.size == 0 {
		delete(s.messages, m.id)
	}
	slices.SortFunc(decision.Changes, byRecipient)
	return decision
}

func byRecipient(a, b Change) int { return cmp.Compare(a.Recipient, b.Recipient) }

// complete puts into a change what is to be recorded of a recipient that is not
// done with, and when it is to come back.
func (p *parcel) complete(c *Change, to *rcpt) {
	if c.Fate.Final() {
		return
	}
	c.State = to.state()
	next := to.next
	if p.dest.down() || p.dest.at.down() {
		next = max(next, p.dest.opens())
		c.State.Next = next.time()
	}
	c.Again = min(next, p.dest.route.deadline(p.msg, to)).time()
	if c.Stuck {
		c.Again = next.time() // so that it is tried before time decides anything
	}
}
