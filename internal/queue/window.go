package queue

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// share is the part of a full window that one destination may hold: a tenth.
const share = 10

// ahead is how long before its time mail is fetched from the spool; near is how
// close that time has to be for mail to stay in the window when there is not
// room for all.
const (
	ahead = time.Minute
	near  = 10 * time.Minute
)

// Want is what the window would like to have from the spool.
type Want struct {
	// Room is how many recipients in all; zero: nothing is wanted.
	Room int
	// Each is how many of one destination.
	Each int
	// Skip are the destinations of which the window has enough.
	Skip []mail.Hop
	// Until: those whose Again is not after.
	Until time.Time
	// First: also those that were never tried, for which there was no room
	// when they arrived or which were there before we started.
	First bool

	missed uint64
}

// Want says what to lease from the spool. It asks for half of the free room, so
// that there is always some for new destinations; for a quarter of what one
// destination may have, so that it is asked for before the last of it is gone;
// and for nothing that Add would refuse. It looks at every destination in the
// window: ask when there is need (Add refused something, Settle made room, Until
// of the last answer has come), not in a loop.
func (s *Schedule) Want(now time.Time) Want {
	s.tick(now)
	free := s.opts.Window - s.size
	if free <= 0 {
		return Want{}
	}
	w := Want{Until: now.Add(ahead), First: s.missed != s.found, missed: s.missed}
	w.Room, w.Each = portion(free)
	for _, d := range s.order {
		if d.size > 0 && s.crowded(d) {
			w.Skip = append(w.Skip, d.hop)
		}
	}
	return w
}

// portion is how much is asked for when so much is free, in all and of each
// destination.
func portion(free int) (room, each int) { return (free + 1) / 2, max(1, free/(4*share)) }

// crowded reports whether a destination has so much in the window that there
// might be no room for a portion more, when those of all others have come.
func (s *Schedule) crowded(d *destination) bool {
	free := s.opts.Window - s.size
	room, each := portion(free)
	return (free-room-(share-1)*d.size)/share < each
}

// hasRoomFor reports whether mail of a destination may stay in the window until
// its time, however far that is: there is room, and no sign that other mail for
// the destination is waiting for it.
func (s *Schedule) hasRoomFor(d *destination) bool {
	return 2*s.size <= s.opts.Window && !s.crowded(d)
}

// Exhausted tells that the spool had less than was wanted: first flights need
// not be looked for again until Add refuses one.
func (s *Schedule) Exhausted(w Want) { s.found = max(s.found, w.missed) }

// room is how many more recipients a destination may have that has size
// already: never more than a ninth of what is then left free. So one destination
// alone gets a tenth of the window, many that are flooded share it evenly and
// leave some for the next one.
func (s *Schedule) room(size int) int {
	free := s.opts.Window - s.size
	room := (free - (share-1)*size) / share
	if size == 0 && free > 0 {
		return max(room, 1)
	}
	return max(room, 0)
}

// Add takes a job into the window: one that arrived, or was leased from the
// spool. It returns the indices of recipients that are not taken, because there
// is no room (their lease goes back; [Schedule.Want] finds them again) or
// because they are held. A recipient that the window has already is left as it
// is there.
func (s *Schedule) Add(now time.Time, j Job) (refused []int) {
	t := s.tick(now)
	m := s.message(&j, t)
	known := m.known(len(j.To))
	seats := seating{msg: m}
	for i := range j.To {
		to := &j.To[i]
		switch {
		case known.has(to.Index):
		case to.State.Held:
			refused = append(refused, to.Index)
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

func (s *Schedule) roomFor(h mail.Hop) int {
	if d := s.dests[keyOf(h)]; d != nil {
		return s.room(d.size)
	}
	return s.room(0)
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
	return rcpt{
		index: to.Index, tries: to.State.Tries, next: next, reply: to.State.Reply, notify: to.Notify,
		warned: to.State.Warned, late: to.State.Late,
	}
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
	m.size += n
}

// seating collects recipients of one message into parcels, by destination and
// time.
type seating struct {
	msg     *message
	parcels []*parcel
	at      map[seat]*parcel // of all parcels, if there is more than one
}

type seat struct {
	dest *destination
	due  instant
}

func (g *seating) add(d *destination, r rcpt) {
	p := g.find(seat{d, r.next})
	if p == nil {
		p = &parcel{msg: g.msg, dest: d, due: r.next}
		g.parcels = append(g.parcels, p)
		if g.at != nil {
			g.at[seat{d, r.next}] = p
		}
	}
	p.to = append(p.to, r)
}

func (g *seating) find(at seat) *parcel {
	if len(g.parcels) == 0 {
		return nil
	}
	if last := g.parcels[len(g.parcels)-1]; (seat{last.dest, last.due}) == at {
		return last
	}
	if g.at == nil {
		g.at = make(map[seat]*parcel)
		for _, p := range g.parcels {
			g.at[seat{p.dest, p.due}] = p
		}
	}
	return g.at[at]
}

// seat lets parcels that were made wait for their time.
func (s *Schedule) seat(g *seating, now instant) {
	for _, p := range g.parcels {
		s.enter(p)
		s.refresh(&p.dest.node, now)
	}
}

func (s *Schedule) enter(p *parcel) {
	s.seq++
	p.wait.parcel, p.late.parcel, p.turn.parcel = p, p, p
	p.wait.seq, p.late.seq = s.seq, s.seq
	p.msg.hold(p)
	p.dest.waiting.set(&p.wait, p.due)
	s.deadlines.set(&p.late, s.deadline(p))
}

// leave takes a parcel out of wherever it is, but for the books.
func (s *Schedule) leave(p *parcel) {
	p.dest.waiting.drop(&p.wait)
	s.deadlines.drop(&p.late)
	if p.turn.in {
		n := p.dest.senders[p.msg.sender]
		n.kids.remove(&p.turn)
		p.dest.showSender(p.msg.sender, n)
	}
	p.msg.drop(p)
}

func (m *message) hold(p *parcel) {
	p.spot = len(m.parcels)
	m.parcels = append(m.parcels, p)
}

func (m *message) drop(p *parcel) {
	last := m.parcels[len(m.parcels)-1]
	m.parcels[p.spot], last.spot = last, p.spot
	m.parcels = m.parcels[:len(m.parcels)-1]
}

// showSender puts a sender into the rota of the destination as long as it has
// parcels that are due.
func (d *destination) showSender(name string, n *node) {
	n.show(true)
	if n.kids.empty() {
		delete(d.senders, name)
	}
}
