package queue

import (
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Command is what an operator wants done with recipients.
type Command uint8

// The commands.
const (
	Hold     Command = iota + 1 // leave them alone
	Release                     // no longer hold them, and try them now
	RetryNow                    // try them now, if they are not held; a destination that is down gets a probe
	Reroute                     // to Order.Hop, as if they were never tried
	Drop                        // remove them without a word
	Bounce                      // give them up, and report it
)

var commandNames = [...]string{"", "hold", "release", "retry", "reroute", "drop", "bounce"}

func (c Command) String() string {
	if int(c) < len(commandNames) {
		return commandNames[c]
	}
	return ""
}

// Order is an operator's order about recipients of a message.
type Order struct {
	Command Command
	Hop     mail.Hop    // Reroute: where to
	Site    string      // Reroute: who stands behind it; "": not known
	Reply   *smtp.Reply // Bounce: why; nil: a sentence of ours
}

// Apply is what the order makes of a recipient: its new state, and its fate,
// which is Deferred, Removed or Failed. It is for recipients that are in the
// spool alone; those in the window are ordered about by [Schedule.Order].
func (o Order) Apply(st State, now time.Time) (State, mail.Fate) {
	switch o.Command {
	case Hold:
		st.Held = true
	case Release:
		st.Held, st.Next = false, now
	case RetryNow:
		st.Next = now
	case Reroute:
		st.Tries, st.Next = 0, now
	case Drop:
		return st, mail.Removed
	case Bounce:
		return st, mail.Failed
	}
	return st, mail.Deferred
}

// Order carries out an order about some recipients of a message, or about all
// that are in the window if to is nil. Those who are in flight are dealt with
// when their delivery is settled, and only if it has not made an end of them;
// the last order holds, Release takes back one that waits, and RetryNow changes
// nothing. Those whom the window does not have are not in the Decision: for them
// there is Apply.
func (s *Schedule) Order(now time.Time, id mail.ID, to []int, o Order) Decision {
	decision := Decision{Message: id}
	m := s.messages[id]
	if m == nil {
		return decision
	}
	t := s.tick(now)
	var chosen indices
	if to != nil {
		chosen = make(indices, len(to))
		for _, i := range to {
			chosen.add(i)
		}
	}
	for _, p := range slices.Clone(m.parcels) {
		if p.id != 0 {
			p.note(chosen, o)
			continue
		}
		if !p.anyOf(chosen) {
			continue
		}
		d := s.revise(p, t, func(to *rcpt) ruling {
			if chosen != nil && !chosen.has(to.index) {
				return ruling{to: p.dest}
			}
			reply, ours := p.lastWord(to, t)
			waits := mail.Outcome{Recipient: to.index, Fate: mail.Deferred, At: t.time(), Reply: reply, Local: ours}
			return s.obey(p, to, o, waits, t)
		})
		decision.Changes = append(decision.Changes, d.Changes...)
	}
	slices.SortFunc(decision.Changes, byRecipient)
	return decision
}

func (p *parcel) anyOf(chosen indices) bool {
	return chosen == nil || slices.ContainsFunc(p.to, func(to rcpt) bool { return chosen.has(to.index) })
}

// note keeps an order for recipients in flight.
func (p *parcel) note(chosen indices, o Order) {
	for i := range p.to {
		if chosen != nil && !chosen.has(p.to[i].index) {
			continue
		}
		switch o.Command {
		case RetryNow:
		case Release:
			p.to[i].order = nil
		default:
			p.to[i].order = &o
		}
	}
}

// obey is what an order makes of a recipient that is not in flight, whose last
// outcome is given.
func (s *Schedule) obey(p *parcel, to *rcpt, o Order, last mail.Outcome, now instant) ruling {
	st, fate := o.Apply(to.state(), now.time())
	to.tries, to.next = st.Tries, instantOf(st.Next)
	last.Fate = fate
	c := Change{Outcome: last, Hop: p.dest.hop, State: st}
	switch o.Command {
	case Bounce:
		c.Reply, c.Local = o.Reply, true
		if c.Reply == nil {
			c.Reply = smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 0, 0}, "returned by the postmaster")
		}
		c.Report = p.msg.owes(to, c.Outcome)
		return ruling{c, true, nil}
	case Hold, Drop:
		return ruling{c, true, nil}
	case Reroute:
		c.Hop = o.Hop
		if s.roomFor(o.Hop) == 0 {
			c.Again = now.time()
			return ruling{c, true, nil}
		}
		return ruling{c, true, s.destination(o.Hop, o.Site, now)}
	case RetryNow:
		p.dest.shut = min(p.dest.shut, now)
		p.dest.at.shut = min(p.dest.at.shut, now)
	}
	return ruling{c, true, p.dest}
}
