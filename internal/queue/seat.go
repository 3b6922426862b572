package queue

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
	m.parcels[len(m.parcels)-1] = nil
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
