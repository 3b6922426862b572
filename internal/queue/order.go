package queue

import (
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// What an operator orders about mail in the window. Mail in flight is not in
// reach: what it was ordered is found out when it is recorded, for the order is in
// the spool. All other mail is ordered about there alone.

// Withdraw takes recipients of a message out of the window, without a word: they
// have gone back to the spool.
func (s *Schedule) Withdraw(now time.Time, id mail.ID, to []int) {
	s.steer(now, id, to, func(p *parcel, r *rcpt, t instant) ruling { return ruling{leaves: true} })
}

// Bounce gives up recipients of a message, as an operator wants, with the report
// that is owed. The reply says why; nil: a sentence of ours.
func (s *Schedule) Bounce(now time.Time, id mail.ID, to []int, reply *smtp.Reply) Decision {
	if reply == nil {
		reply = smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 0, 0}, "returned by the postmaster")
	}
	return s.steer(now, id, to, func(p *parcel, r *rcpt, t instant) ruling {
		o := mail.Outcome{Recipient: r.index, Fate: mail.Failed, At: t.time(), Reply: reply, Local: true}
		return ruling{change: Change{Outcome: o, Hop: p.dest.hop, Report: p.msg.owes(r, o)}, told: true, leaves: true}
	})
}

// RetryNow makes recipients of a message due at once. A destination that is down
// gets a probe.
func (s *Schedule) RetryNow(now time.Time, id mail.ID, to []int) {
	s.steer(now, id, to, func(p *parcel, r *rcpt, t instant) ruling {
		r.next = t
		p.dest.shut = min(p.dest.shut, t)
		p.dest.at.shut = min(p.dest.at.shut, t)
		return ruling{}
	})
}

// steer revises those recipients of a message that are in the window and not in
// flight.
func (s *Schedule) steer(now time.Time, id mail.ID, to []int, rule func(*parcel, *rcpt, instant) ruling) Decision {
	decision := Decision{Message: id}
	m := s.messages[id]
	if m == nil {
		return decision
	}
	t := s.tick(now)
	chosen := make(indices, len(to))
	for _, i := range to {
		chosen.add(i)
	}
	for _, p := range slices.Clone(m.parcels) {
		if p.id != 0 || !slices.ContainsFunc(p.to, func(r rcpt) bool { return chosen.has(r.index) }) {
			continue
		}
		d := s.revise(p, t, func(r *rcpt) ruling {
			if !chosen.has(r.index) {
				return ruling{}
			}
			return rule(p, r, t)
		})
		decision.Changes = append(decision.Changes, d.Changes...)
	}
	slices.SortFunc(decision.Changes, byRecipient)
	return decision
}
