package queue

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/smtp"
)

// maxOverdue is how many messages' time is dealt with in one call of Next.
const maxOverdue = 1000

// deadline is when time alone decides something about a parcel next.
func (s *Schedule) deadline(p *parcel) instant {
	at := never
	for i := range p.to {
		at = min(at, p.dest.route.deadline(p.msg, &p.to[i]))
	}
	return at
}

// chance is how long a recipient who could be tried when he came into the window is
// left alone by time: after a long absence of ours mail is tried once more, before
// it is given up or its delay is told.
const chance = 10 * time.Minute

// deadline is when time alone decides something about a recipient next.
func (r *route) deadline(m *message, to *rcpt) instant {
	at := m.from.add(r.conf.Expire)
	if m.wantsDelay(to) {
		if m.by != 0 && !to.late {
			at = min(at, m.by)
		}
		if r.conf.Warn > 0 && !to.warned {
			at = min(at, m.from.add(r.conf.Warn))
		}
	}
	at = max(at, to.chance)
	if m.by != 0 && !m.late {
		at = min(at, m.by)
	}
	return at
}

func (m *message) wantsDelay(to *rcpt) bool {
	return m.owes(to, mail.Outcome{Fate: mail.Deferred}) != 0
}

// owes is which report the message's sender is owed for an outcome.
func (m *message) owes(to *rcpt, o mail.Outcome) mail.Action {
	if m.null && !sabotage.Is("reports are answered with reports") {
		return 0
	}
	return o.Owes(to.notify, m.trace)
}

// age says what time has made of a recipient that waits: nothing (Deferred), or
// Expired; and whether its sender is to hear of the delay, once for each reason
// that there is.
func (r *route) age(m *message, to *rcpt, now instant) (fate mail.Fate, delayed bool) {
	if now >= m.from.add(r.conf.Expire) && !sabotage.Is("mail is never given up") || r.tooLate(m, now) {
		return mail.Expired, false
	}
	if m.by != 0 && now >= m.by && !to.late {
		to.late, delayed = true, true
	}
	if r.conf.Warn > 0 && now >= m.from.add(r.conf.Warn) && !to.warned {
		to.warned, delayed = true, true
	}
	return mail.Deferred, delayed && m.wantsDelay(to)
}

// tooLate reports whether the message had to be delivered by now or not at all
// (RFC 2852, mode R).
func (r *route) tooLate(m *message, now instant) bool {
	return m.by != 0 && !m.late && now >= m.by
}

func tooLateReply() *smtp.Reply {
	return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 4, 7}, "not delivered by the time that was asked for")
}

// overdue decides what time alone decides. All mail of a destination that is
// down passes through the window so, though little of it fits in: those who were
// warned leave, and make room for the next.
func (s *Schedule) overdue(now instant) []Decision {
	var decisions []Decision
	for s.deadlines.at() <= now && len(decisions) < maxOverdue {
		p := s.deadlines.first().parcel
		if s.deadlines.set(&p.late, s.deadline(p)); p.late.at > now {
			continue // it was another's time, who has left the parcel
		}
		decisions = append(decisions, s.revise(p, now, func(to *rcpt) ruling {
			return p.grow(to, now)
		}))
	}
	return decisions
}

// grow is what time makes of a recipient of a parcel that is not in flight.
func (p *parcel) grow(to *rcpt, now instant) ruling {
	fate, delayed := mail.Deferred, false
	if now >= to.chance || p.dest.route.tooLate(p.msg, now) {
		fate, delayed = p.dest.route.age(p.msg, to, now)
	}
	o := mail.Outcome{Recipient: to.index, Fate: fate, At: now.time()}
	o.Reply, o.Local = p.lastWord(to, now)
	c := Change{Outcome: o, Hop: p.dest.hop}
	switch {
	case fate != mail.Deferred:
		if !sabotage.Is("nobody hears that mail was given up") {
			c.Report = p.msg.owes(to, o)
		}
	case delayed:
		c.Report = mail.ReportDelayed
	default:
		return ruling{}
	}
	return tell(c)
}

// lastWord is what is to be said of a recipient that was not tried just now:
// what the last try was told, or the destination told others; and whether it is
// our own word.
func (p *parcel) lastWord(to *rcpt, now instant) (reply *smtp.Reply, ours bool) {
	switch {
	case p.dest.route.tooLate(p.msg, now):
		return tooLateReply(), true
	case to.reply != nil:
		return to.reply, false
	case p.dest.reply != nil:
		return p.dest.reply, false
	case p.dest.at.reply != nil:
		return p.dest.at.reply, false
	}
	return smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 4, 7}, "delivery takes longer than it should"), true
}
