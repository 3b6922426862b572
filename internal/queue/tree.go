package queue

import "github.com/posthouse/posthouse/internal/mail"

// route returns the node of a route.
func (s *Schedule) route(name string) *route {
	r := s.routes[name]
	if r == nil {
		r = &route{name: name, sites: map[siteKey]*site{}}
		r.init(&s.house)
		r.configure(s.opts.route(name))
		s.routes[name] = r
		s.shareRoute(r)
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
		s.shareSite(at)
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
	d.most = d.route.conf.Start
	d.limit()
	s.shareDestination(d)
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
	from.load -= d.size
	to.load += d.size
	d.at, d.up = to, &to.node
	s.shareDestination(d)
	s.refresh(&from.node, now)
	s.quit(from)
}

// refresh brings a node, and those above it, to the place that is theirs now.
func (s *Schedule) refresh(n *node, now instant) {
	for ; n.up != nil; n = n.up {
		s.steps++
		n.share.expire(now)
		open := n.open(now)
		if n.dest != nil && open {
			s.ripen(n.dest, now)
		}
		n.show(open)
		s.wakes.set(&n.wake, s.wakeAt(n, now))
		if n.share != nil {
			s.appoint(n.share, now)
		}
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
	case n.share.lacks(n):
		return n.wakeToAsk(now)
	case n.full():
		return never
	case n.share.rated() && !n.kids.empty() && n.gate() <= now:
		at := n.share.turn.add(n.share.grace) + 1 // if it is not used, it is lost
		if n.dest != nil {
			at = min(at, n.dest.waiting.at())
		}
		return at
	case !n.kids.empty() && n.gate() > now:
		return n.gate()
	case n.dest != nil:
		return max(n.dest.waiting.at(), n.gate())
	}
	return never
}

// wakeToAsk is when a node that lacks a share has use for one; never if it has.
func (n *node) wakeToAsk(now instant) instant {
	at := n.shut
	if n.dest != nil && n.kids.empty() {
		at = max(at, n.dest.waiting.at())
	}
	if at <= now || n.dest == nil && n.kids.empty() {
		return never
	}
	return at
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
