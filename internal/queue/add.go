package queue

import (
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Add takes a job into the window: one that arrived, or was leased from the
// spool. It returns the indices of recipients that are not taken, because there
// is no room: their lease goes back, and [Schedule.Want] finds them again. A
// recipient that the window has already is left as it is there.
func (s *Schedule) Add(now time.Time, j Job) (refused []int) {
	t := s.tick(now)
	m := s.message(&j, t)
	known := m.known(len(j.To))
	seats := seating{msg: m}
	for i := range j.To {
		to := &j.To[i]
		switch {
		case known.has(to.Index):
		case s.roomFor(to.Hop) == 0:
			refused = append(refused, to.Index)
			s.missed++
		default:
			d := s.destination(to.Hop, to.Site, t)
			s.count(d, m, +1)
			seats.add(d, newRcpt(to, instantOf(j.Hold), t))
			known.add(to.Index)
		}
	}
	s.seat(&seats, t)
	if m.size == 0 {
		delete(s.messages, m.id)
	}
	return refused
}

// indices are recipients of a message; nil is for those who need no set.
type indices map[int]struct{}

func (x indices) has(i int) bool { _, ok := x[i]; return ok }

func (x indices) add(i int) {
	if x != nil {
		x[i] = struct{}{}
	}
}

// known returns which recipients of the message are in the window, for a job
// that brings so many. Most messages come once, with one recipient.
func (m *message) known(more int) indices {
	if m.size == 0 && more <= 1 {
		return nil
	}
	x := make(indices, m.size+more)
	for _, p := range m.parcels {
		for i := range p.to {
			x.add(p.to[i].index)
		}
	}
	return x
}

func newRcpt(to *Recipient, hold, now instant) rcpt {
	next := max(instantOf(to.State.Next), hold)
	if next == 0 {
		next = now
	}
	r := rcpt{
		index: to.Index, tries: to.State.Tries, next: next, reply: to.State.Reply, notify: to.Notify,
		warned: to.State.Warned, late: to.State.Late,
	}
	if next <= now {
		r.chance = now.add(chance)
	}
	return r
}

// message returns what is known of the job's message.
func (s *Schedule) message(j *Job, now instant) *message {
	m := s.messages[j.Message]
	if m != nil {
		return m
	}
	m = &message{
		id: j.Message, sender: j.Sender, null: j.Null, trace: j.ByTrace, late: j.ByMode == smtp.ByNotify,
		priority: int8(min(max(j.Priority, -9), 9)), from: max(instantOf(j.Arrived), instantOf(j.Hold)),
	}
	if j.ByMode != smtp.ByNone {
		m.by = instantOf(j.By)
	}
	if m.from == 0 {
		m.from = now
	}
	s.messages[j.Message] = m
	return m
}

// count keeps the books of how many are in the window.
func (s *Schedule) count(d *destination, m *message, n int) {
	if n > 0 {
		s.rouse(d)
	}
	s.size += n
	d.size += n
	d.load += n
	d.at.load += n
	d.route.load += n
	m.size += n
}
