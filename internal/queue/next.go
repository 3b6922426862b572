package queue

import "time"

// Next returns the deliveries that start now, in order, and what time alone has
// decided: warnings of delay, expiries. It decides about 1,000 messages at most
// in one call; [Schedule.Wake] then says that there is more.
//
// Every Delivery must come back by [Schedule.Settle], whatever becomes of it.
func (s *Schedule) Next(now time.Time) ([]Delivery, []Decision) {
	t := s.tick(now)
	decisions := s.overdue(t)
	for s.wakes.at() <= t {
		s.refresh(s.wakes.first().node, t)
	}
	var starts []Delivery
	for !s.house.full() && !s.house.kids.empty() {
		starts = append(starts, s.start(t))
	}
	return starts, decisions
}

// start takes the parcel whose turn it is on its way.
func (s *Schedule) start(now instant) Delivery {
	p := s.takeOff(s.pick())
	d := p.dest
	s.lastID++
	p.id, p.started, p.site = s.lastID, now, d.at
	s.flights[p.id] = p
	delivery := Delivery{
		ID: p.id, Message: p.msg.id, Hop: d.hop, Site: d.at.key.operator,
		To: make([]int, len(p.to)), Probe: d.down() || d.at.down(),
	}
	for i := range p.to {
		delivery.To[i] = p.to[i].index
	}
	for _, n := range p.way() {
		n.begin(now)
	}
	s.house.begin(now)
	s.refresh(&d.node, now)
	return delivery
}

// pick walks down to the parcel whose turn it is.
func (s *Schedule) pick() *parcel {
	n, kind := &s.house, false
	for {
		var t *turn
		s.steps++
		t, kind = n.kids.pick(kind)
		if t.parcel != nil {
			return t.parcel
		}
		n = t.node
		if n.site != nil {
			n.site.taken()
		}
	}
}

// takeOff splits off a parcel as much as fits into one delivery.
func (s *Schedule) takeOff(p *parcel) *parcel {
	batch := p.dest.route.conf.Batch
	if len(p.to) > batch {
		part := &parcel{msg: p.msg, dest: p.dest, due: p.due, to: p.to[:batch:batch]}
		p.to = p.to[batch:]
		p.msg.hold(part)
		return part
	}
	s.deadlines.drop(&p.late)
	n := p.dest.senders[p.msg.sender]
	n.kids.remove(&p.turn)
	p.dest.showSender(p.msg.sender, n)
	return p
}

// way returns the nodes that a delivery in flight counts for, but for the
// house.
func (p *parcel) way() [3]*node {
	return [3]*node{&p.dest.node, &p.site.node, &p.site.route.node}
}

// maxFavours is how often in a row a connection that came free goes on to the
// same site, though others wait for a place.
const maxFavours = 8

// land ends a flight.
func (s *Schedule) land(p *parcel) {
	delete(s.flights, p.id)
	p.id = 0
	s.house.busy--
	for _, n := range p.way() {
		n.busy--
	}
	if p.site != p.dest.at && p.site.dests == 0 && p.site.busy == 0 {
		s.unbind(&p.site.node)
		delete(p.site.route.sites, p.site.key)
	}
}

// favour gives a site the next turn, so that the connection which has just come
// free can be used again; a few times in a row, and then another.
func (s *Schedule) favour(at *site) {
	if !at.turn.in || !at.route.turn.in || at.favours >= maxFavours {
		return
	}
	at.favours++
	at.favored = true
	at.route.kids.favour(&at.turn)
	s.house.kids.favour(&at.route.turn)
}

// taken notes that the site has had its turn.
func (at *site) taken() {
	if !at.favored {
		at.favours = 0
	}
	at.favored = false
}
