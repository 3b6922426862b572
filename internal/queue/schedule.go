package queue

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Schedule decides what is tried when, and what came of it. It is made by
// [New], and is used by one goroutine at a time.
//
// Every method that takes now expects one that is not before that of the call
// before it. If a clock goes back all the same then mail waits longer by as
// much; nothing is lost.
type Schedule struct {
	opts      Options
	house     node
	routes    map[string]*route
	dests     map[destKey]*destination
	order     []*destination // all of dests, in the order in which they came
	messages  map[mail.ID]*message
	flights   map[uint64]*parcel
	wakes     agenda // nodes
	deadlines agenda // parcels that are not in flight

	idle   ring   // destinations without mail, the longest idle first
	idlers int    // how many those are
	size   int    // recipients in the window
	lastID uint64 // of deliveries
	seq    uint64 // of parcels, for order among equals
	now    instant
	missed uint64 // counts refusals, from 1: the spool may have first flights at the start
	found  uint64 // the value of missed that the spool has made up for
	steps  int    // swaps and visits, for the tests of cost
}

// New returns an empty schedule.
func New(o Options) *Schedule {
	s := &Schedule{
		opts:     o.orElse(),
		routes:   map[string]*route{},
		dests:    map[destKey]*destination{},
		messages: map[mail.ID]*message{},
		flights:  map[uint64]*parcel{},
		missed:   1,
	}
	s.house.most = s.opts.Deliveries
	s.wakes.steps, s.deadlines.steps = &s.steps, &s.steps
	return s
}

// Reload puts other options in place of those that hold. What is in flight
// goes on; retry times that were drawn stay as they are.
func (s *Schedule) Reload(now time.Time, o Options) {
	t := s.tick(now)
	s.opts = o.orElse()
	s.house.most = s.opts.Deliveries
	for _, r := range s.routes {
		r.configure(s.opts.route(r.name))
		for _, at := range r.sites {
			at.limit()
		}
	}
	for _, d := range s.order {
		d.limit()
		for _, p := range d.parcels() {
			s.deadlines.set(&p.late, s.deadline(p))
		}
	}
	for _, d := range s.order {
		s.refresh(&d.node, t)
	}
}

// parcels returns those that wait or have their turn.
func (d *destination) parcels() []*parcel {
	var all []*parcel
	for _, t := range d.waiting.timers {
		all = append(all, t.parcel)
	}
	for g := range d.kids.rings {
		for n := d.kids.rings[g].head; n != nil; n = n.next {
			for k := range n.node.kids.rings {
				for p := n.node.kids.rings[k].head; p != nil; p = p.next {
					all = append(all, p.parcel)
				}
			}
		}
	}
	return all
}

func (s *Schedule) tick(now time.Time) instant {
	s.now = instantOf(now)
	return s.now
}

// Wake returns the earliest instant at which [Schedule.Next] will have something
// to say if nothing else happens before; zero if it will not.
func (s *Schedule) Wake() time.Time {
	if !s.house.full() && !s.house.kids.empty() {
		return s.now.time()
	}
	return min(s.wakes.at(), s.deadlines.at()).time()
}

// route returns the node of a route.
func (s *Schedule) route(name string) *route {
	r := s.routes[name]
	if r == nil {
		r = &route{name: name, sites: map[siteKey]*site{}}
		r.init(&s.house)
		r.configure(s.opts.route(name))
		s.routes[name] = r
	}
	return r
}

func (r *route) configure(conf Route) {
	r.conf = conf
	r.most, r.space = conf.All.Deliveries, conf.All.spacing()
}

// siteOf returns the node of who stands behind a destination.
func (s *Schedule) siteOf(r *route, operator string, alone destKey) *site {
	key := siteKey{operator: operator}
	if operator == "" {
		key.alone = alone
	}
	at := r.sites[key]
	if at == nil {
		at = &site{key: key, route: r}
		at.init(&r.node)
		at.site = at
		at.limit()
		r.sites[key] = at
	}
	return at
}

func (at *site) limit() {
	at.space = at.route.conf.Site.spacing()
	if !at.down() {
		at.most = at.route.conf.Site.Deliveries
	}
}

// destination returns the node of where a recipient goes, and sees to it that
// it stands below the right site. It is not in any rota before mail is put into
// it and it is refreshed.
func (s *Schedule) destination(hop mail.Hop, operator string, now instant) *destination {
	d := s.dests[keyOf(hop)]
	if d == nil {
		d = s.newDestination(hop, operator)
	}
	if operator != "" && operator != d.at.key.operator {
		s.move(d, s.siteOf(d.route, operator, d.key), now)
	}
	return d
}

func (s *Schedule) newDestination(hop mail.Hop, operator string) *destination {
	d := &destination{key: keyOf(hop), hop: hop, route: s.route(hop.Route), senders: map[string]*node{}}
	d.at = s.siteOf(d.route, operator, d.key)
	d.at.dests++
	d.init(&d.at.node)
	d.dest, d.idle.node = d, &d.node
	d.waiting.steps = &s.steps
	d.most = firstPace
	d.limit()
	s.dests[d.key] = d
	d.spot = len(s.order)
	s.order = append(s.order, d)
	return d
}

// limit brings what is configured into the node. How many deliveries there may
// be at once is also a matter of what the destination has shown to bear.
func (d *destination) limit() {
	d.space = d.route.conf.Destination.spacing()
	if !d.down() {
		d.most = min(d.most, d.ceiling())
	}
}

// move puts the destination below another site. What is in flight stays with
// the site that it was started for.
func (s *Schedule) move(d *destination, to *site, now instant) {
	from := d.at
	from.kids.remove(&d.turn)
	to.dests++
	d.at, d.up = to, &to.node
	s.refresh(&from.node, now)
	s.quit(from)
}

// refresh brings a node, and those above it, to the place that is theirs now.
func (s *Schedule) refresh(n *node, now instant) {
	for ; n.up != nil; n = n.up {
		s.steps++
		open := n.open(now)
		if n.dest != nil && open {
			s.ripen(n.dest, now)
		}
		n.show(open)
		s.wakes.set(&n.wake, s.wakeAt(n, now))
	}
}

// ripen gives a turn to every parcel of the destination that is due.
func (s *Schedule) ripen(d *destination, now instant) {
	for d.waiting.at() <= now {
		p := d.waiting.first().parcel
		d.waiting.drop(&p.wait)
		n := d.senders[p.msg.sender]
		if n == nil {
			n = new(node)
			n.init(&d.node)
			d.senders[p.msg.sender] = n
		}
		n.kids.put(&p.turn, p.msg.priority)
		n.show(true)
	}
}

// wakeAt is when a node has to be looked at again though nothing happened to
// it. A node that is full is looked at when it no longer is.
func (s *Schedule) wakeAt(n *node, now instant) instant {
	switch {
	case n.dest != nil && n.dest.size == 0:
		s.rest(n.dest)
		return never
	case n.full():
		return never
	case !n.kids.empty() && n.gate() > now:
		return n.gate()
	case n.dest != nil:
		return max(n.dest.waiting.at(), n.gate())
	}
	return never
}

// maxIdle is how many destinations without mail are remembered: their pace,
// whether they are down, when the next delivery may begin. Past it the one that
// has been idle for longest is forgotten.
const maxIdle = 10_000

// rest notes that a destination has no mail.
func (s *Schedule) rest(d *destination) {
	if d.idle.in {
		return
	}
	d.idle.in = true
	s.idle.append(&d.idle)
	if s.idlers++; s.idlers > maxIdle {
		s.forget(s.idle.head.node.dest)
	}
}

// rouse notes that a destination has mail again.
func (s *Schedule) rouse(d *destination) {
	if d.idle.in {
		d.idle.in = false
		s.idle.unlink(&d.idle)
		s.idlers--
	}
}

func (s *Schedule) forget(d *destination) {
	s.rouse(d)
	last := s.order[len(s.order)-1]
	s.order[d.spot], last.spot = last, d.spot
	s.order = s.order[:len(s.order)-1]
	delete(s.dests, d.key)
	s.quit(d.at)
}

// quit takes a destination from a site, which goes with its last one.
func (s *Schedule) quit(at *site) {
	if at.dests--; at.dests == 0 && at.busy == 0 {
		s.wakes.drop(&at.wake)
		delete(at.route.sites, at.key)
	}
}
