package queue

import "fmt"

// Steps returns how many swaps, visits and turns the schedule has made.
func (s *Schedule) Steps() int { return s.steps }

// Check holds the books and the structures against each other.
func (s *Schedule) Check() error {
	c := checker{s: s}
	c.house()
	c.messages()
	c.agendas()
	if c.err == nil && c.seen != s.size {
		c.failf("%d recipients in parcels, %d in the books", c.seen, s.size)
	}
	if c.err == nil && s.size > s.opts.Window {
		c.failf("%d recipients in a window of %d", s.size, s.opts.Window)
	}
	return c.err
}

type checker struct {
	s    *Schedule
	seen int
	err  error
}

func (c *checker) failf(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// house checks the nodes: who is in a rota could start now, and the others
// could not.
func (c *checker) house() {
	busy := map[*node]int{}
	for _, p := range c.s.flights {
		busy[&c.s.house]++
		for _, n := range p.way() {
			busy[n]++
		}
	}
	c.node(&c.s.house, "house", busy)
	for _, r := range c.s.routes {
		c.node(&r.node, "route "+r.name, busy)
		for _, at := range r.sites {
			c.node(&at.node, "site "+at.key.operator, busy)
			if at.dests == 0 && at.busy == 0 {
				c.failf("site %q has no destinations and is not forgotten", at.key.operator)
			}
		}
	}
	size := map[*destination]int{}
	for _, m := range c.s.messages {
		for _, p := range m.parcels {
			size[p.dest] += len(p.to)
		}
	}
	for i, d := range c.s.order {
		c.node(&d.node, d.key.destination, busy)
		if d.spot != i || c.s.dests[d.key] != d {
			c.failf("%s is not where it should be", d.key.destination)
		}
		if d.size != size[d] {
			c.failf("%s: %d recipients, %d in the books", d.key.destination, size[d], d.size)
		}
		if d.idle.in != (d.size == 0) {
			c.failf("%s: idle %v with %d recipients", d.key.destination, d.idle.in, d.size)
		}
		for _, n := range d.senders {
			c.node(n, "sender", busy)
		}
	}
	if len(c.s.order) != len(c.s.dests) {
		c.failf("%d destinations, %d in order", len(c.s.dests), len(c.s.order))
	}
}

func (c *checker) node(n *node, name string, busy map[*node]int) {
	if n.busy != busy[n] {
		c.failf("%s: %d in flight, %d in the books", name, busy[n], n.busy)
	}
	if n.up != nil {
		if n.turn.in && (n.kids.empty() || n.full() || n.turn.class != n.kids.top()) {
			c.failf("%s has a turn that it cannot use", name)
		}
		if !n.turn.in && !n.kids.empty() && !n.full() && n.wake.spot == 0 {
			c.failf("%s could start, has no turn and will not wake", name)
		}
	}
	if h := n.share; h != nil {
		if h.node != n || c.s.shares[h.name] != h {
			c.failf("%s: a share that is not where it says", name)
		}
		if n.mail(c.s.now) && h.lacks(n) && !h.asking && h.timer.spot == 0 {
			c.failf("%s lacks a share, and does not ask", name)
		}
	}
	last := int8(127)
	for i := range n.kids.rings {
		g := &n.kids.rings[i]
		if g.head == nil || g.class >= last {
			c.failf("%s: rings out of order", name)
		}
		last = g.class
		for t := g.head; t != nil; t = t.next {
			if !t.in || t.class != g.class || (t.next == nil) != (g.tail == t) {
				c.failf("%s: a turn that is not where it says", name)
			}
		}
	}
}

func (c *checker) messages() {
	for id, m := range c.s.messages {
		known := map[int]bool{}
		for i, p := range m.parcels {
			if p.spot != i || p.msg != m || m.id != id {
				c.failf("%v: a parcel that is not where it says", id)
			}
			places := 0
			for _, in := range []bool{p.wait.spot > 0, p.turn.in, c.s.flights[p.id] == p} {
				if in {
					places++
				}
			}
			if places != 1 || (p.late.spot > 0) != (p.id == 0) {
				c.failf("%v: a parcel in %d places", id, places)
			}
			for _, to := range p.to {
				if known[to.index] {
					c.failf("%v: recipient %d twice", id, to.index)
				}
				known[to.index] = true
				c.seen++
			}
		}
		if len(known) != m.size || m.size == 0 {
			c.failf("%v: %d recipients, %d in the books", id, len(known), m.size)
		}
	}
}

func (c *checker) agendas() {
	all := []*agenda{&c.s.wakes, &c.s.deadlines, &c.s.asks}
	for _, d := range c.s.order {
		all = append(all, &d.waiting)
	}
	for _, a := range all {
		for i, t := range a.timers {
			if t.spot != i+1 || i > 0 && t.before(a.timers[(i-1)/2]) {
				c.failf("an agenda is out of order")
			}
		}
	}
}
