package queue

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// Where Options.Shared is set the limits of a route, its sites and its destinations hold for several
// schedules together. A node then has a share of its limit: places, of which it uses no more than it was
// given, and turns, at which deliveries begin. It asks for what it has use for, and gives back
// what it has none for; while it lacks something nothing below it could start, so it is not in the rota.
// Nothing is counted against anybody for that.

const (
	// renew is how often a node says again that it wants what it does not have.
	renew = time.Second
	// linger is how long a node keeps a place for which it has no use, if nobody else wants one.
	linger = 2 * time.Second
	// maxAsks is how many asks there are at a time.
	maxAsks = 1000
	// tardy is the part of Limits.Per by which a turn may be late, and is lost after it.
	tardy = 20
)

// Ask is what a schedule says of one thing whose limit it shares.
type Ask struct {
	Name  string        // the same in all schedules
	Limit int           // places, for all schedules together; 0: no limit
	Busy  int           // deliveries under way here
	Want  int           // those that there could be
	Space time.Duration // between two turns, whose ever they are; 0: no rate
	Turns int           // wanted

	share *share
}

// Grant is the answer to an Ask.
type Grant struct {
	Places int           // deliveries that may be under way here
	Wanted bool          // somebody else wants more places than he has
	Turns  int           // at which deliveries may begin, Space apart
	After  time.Duration // from now until the first of them
}

// share is what a node has of a limit that is shared.
type share struct {
	name   string
	limits Limits
	node   *node // nil: it is forgotten, and what it had goes back
	timer  timer // when to ask

	asking bool
	wanted int     // when it asked last
	asked  instant // the last time
	rival  bool    // somebody else wants some
	peak   int     // the most that were used since
	since  instant

	places int // that may be used
	held   int // that others think are ours
	turns  int
	turn   instant       // the first of turns
	grace  time.Duration // by which it may be late
}

func (h *share) limited() bool { return h != nil && h.limits.Deliveries > 0 }
func (h *share) rated() bool   { return h != nil && h.limits.Rate > 0 }

// lacks reports whether nothing can start for want of a share.
func (h *share) lacks(n *node) bool {
	return h.limited() && n.busy >= h.places || h.rated() && h.turns == 0
}

// expire forgets turns that were not used in time.
func (h *share) expire(now instant) {
	if !h.rated() || h.turns == 0 || now <= h.turn.add(h.grace) {
		return
	}
	space := h.limits.spacing()
	gone := int((now-h.turn.add(h.grace)-1)/instant(space)) + 1
	gone = min(gone, h.turns)
	h.turns -= gone
	h.turn = h.turn.add(time.Duration(gone) * space)
}

// begin notes a delivery, with which so many are under way.
func (h *share) begin(busy int) {
	h.peak = max(h.peak, busy)
	if h.rated() && h.turns > 0 {
		h.turns--
		h.turn = h.turn.add(h.limits.spacing())
	}
}

// bind gives a node a share of a limit, or takes it away if that is not shared or there is none.
func (s *Schedule) bind(n *node, r *route, l Limits, names ...string) {
	if !s.opts.Shared || r.conf.Own || l.Deliveries <= 0 && l.Rate <= 0 {
		s.unbind(n)
		return
	}
	if n.share == nil {
		n.share = s.shareOf(shareName(names...))
		n.share.node = n
	}
	n.share.limits = l
}

func (s *Schedule) shareOf(name string) *share {
	h := s.shares[name]
	if h == nil {
		h = &share{name: name}
		h.timer.share = h
		s.shares[name] = h
	}
	return h
}

// unbind lets what a node has go back.
func (s *Schedule) unbind(n *node) {
	if h := n.share; h != nil {
		h.node, n.share = nil, nil
		s.appoint(h, s.now)
	}
}

// shareName is one that is not too long for whoever keeps it.
func shareName(names ...string) string {
	text := fmt.Sprintf("%q", names)
	if len(text) > 1000 {
		text = fmt.Sprintf("%s %x", names[0], sha256.Sum256([]byte(text)))
	}
	return text
}

// both are limits of which each holds.
func both(a, b Limits) Limits {
	l := a
	if l.Deliveries <= 0 || b.Deliveries > 0 && b.Deliveries < l.Deliveries {
		l.Deliveries = b.Deliveries
	}
	if b.spacing() > a.spacing() {
		l.Rate, l.Per = b.Rate, b.Per
	}
	return l
}

func (s *Schedule) shareRoute(r *route) { s.bind(&r.node, r, r.conf.All, "route", r.name) }

// shareSite is for one that has a name. Another is a single destination, which keeps to both limits.
func (s *Schedule) shareSite(at *site) {
	if at.key.operator != "" {
		s.bind(&at.node, at.route, at.route.conf.Site, "site", at.route.name, at.key.operator)
	}
}

func (s *Schedule) shareDestination(d *destination) {
	l := d.route.conf.Destination
	if d.at.key.operator == "" {
		l = both(l, d.route.conf.Site)
	}
	s.bind(&d.node, d.route, l, "destination", d.key.route, d.key.transport, d.key.destination)
}

// mail reports whether something below the node could start, but for its limits.
func (n *node) mail(now instant) bool {
	return n.shut <= now && (!n.kids.empty() || n.dest != nil && n.dest.waiting.at() <= now)
}

// want is how many deliveries there could be, as far as a node can know: above destinations it
// asks for some more than there are.
func (n *node) want() int {
	want := n.load
	if n.dest == nil {
		want = min(want, n.busy+max(n.busy, 4))
	}
	if n.most > 0 {
		want = min(want, n.most)
	}
	return max(want, n.busy)
}

// appoint sees to it that a share is asked for when there is reason to.
func (s *Schedule) appoint(h *share, now instant) {
	at := h.due(now)
	s.asks.set(&h.timer, at)
	if h.node == nil && at == never && !h.asking {
		delete(s.shares, h.name)
	}
}

// due is when to ask.
func (h *share) due(now instant) instant {
	n := h.node
	switch {
	case h.asking:
	case n == nil:
		if h.held > 0 {
			return now
		}
	case h.limited() && n.busy > h.held, n.busy < h.held && h.places < h.held:
		return now // others think otherwise, and may wait for it
	case n.mail(now) && h.lacks(n):
		if h.hurries() {
			return now
		}
		return max(now, h.asked.add(renew))
	case h.places > n.busy:
		if h.rival && !n.mail(now) {
			return now
		}
		return max(now, h.spare(now))
	}
	return never
}

// spare is when a place will have had no use for long enough.
func (h *share) spare(now instant) instant {
	if h.since.add(linger) <= now && h.peak >= h.places {
		h.peak, h.since = h.node.busy, now
	}
	return h.since.add(linger)
}

// hurries: there is more to ask for than the last time.
func (h *share) hurries() bool {
	if h.limited() && h.node.busy >= h.places {
		return h.node.want() > h.wanted
	}
	return true // for turns, of which there always are some
}

// ask is what is to be asked now.
func (h *share) ask(now instant) Ask {
	a := Ask{Name: h.name, Limit: h.limits.Deliveries, share: h}
	if n := h.node; n != nil {
		a.Busy, a.Want = n.busy, n.busy
		switch mail := n.mail(now); {
		case mail && h.lacks(n):
			h.askFor(&a, n)
		case mail || !h.rival:
			a.Want = max(n.busy, min(h.peak, h.places))
		}
		h.peak, h.since = n.busy, now
	}
	// No more begins before the answer: what is not used now may be somebody else's by then, and
	// is, for all that is known, if no answer comes.
	h.places = min(h.places, a.Busy)
	h.asking, h.wanted, h.asked = true, a.Want, now
	s := h.limits
	h.grace = max(s.Per, time.Second) / tardy
	return a
}

// askFor asks for what a node with mail lacks: first places, and then turns for them.
func (h *share) askFor(a *Ask, n *node) {
	a.Want = n.want()
	if h.rated() && h.turns == 0 && (!h.limited() || n.busy < h.places) {
		a.Space = h.limits.spacing()
		a.Turns = max(1, min(n.load, int(time.Second/a.Space)))
	}
}

// Asks returns what is to be asked of whoever divides the limits, 1,000 asks at most. Each of them has to come
// back by [Schedule.Grant] or [Schedule.Ungranted], or all of them are forgotten by [Schedule.Unshare].
func (s *Schedule) Asks(now time.Time) (asks []Ask) {
	t := s.tick(now)
	for s.asks.at() <= t && len(asks) < maxAsks {
		h := s.asks.first().share
		s.asks.drop(&h.timer)
		asks = append(asks, h.ask(t))
		if h.node != nil {
			s.refresh(h.node, t)
		}
	}
	return asks
}

// WakeAsks is when there is something to ask; zero: not before something happens.
func (s *Schedule) WakeAsks() time.Time { return s.asks.at().time() }

// Grant takes the answers to asks that were sent at an instant.
func (s *Schedule) Grant(now, sent time.Time, asks []Ask, grants []Grant) {
	t := s.tick(now)
	for i := range asks {
		asks[i].share.take(&asks[i], &grants[i], t, instantOf(sent))
	}
	s.reshare(asks, t)
}

// take takes the answer to an ask.
func (h *share) take(a *Ask, g *Grant, now, sent instant) {
	h.asking, h.rival = false, g.Wanted
	h.places, h.held = g.Places, max(g.Places, a.Busy)
	if g.Turns > 0 {
		h.turns, h.turn = g.Turns, now.add(g.After)
		h.grace = max(0, h.grace-time.Duration(now-sent)) // nobody knows when it was answered
	}
}

// Ungranted tells that asks came to nobody.
func (s *Schedule) Ungranted(now time.Time, asks []Ask) {
	t := s.tick(now)
	for i := range asks {
		asks[i].share.asking = false
	}
	s.reshare(asks, t)
}

// reshare brings the nodes of shares to the places that are theirs now.
func (s *Schedule) reshare(asks []Ask, now instant) {
	for i := range asks {
		if h := asks[i].share; h.node != nil {
			s.refresh(h.node, now)
		} else {
			s.appoint(h, now)
		}
	}
}

// Unshare forgets all shares: they have gone back. What is in flight goes on.
func (s *Schedule) Unshare(now time.Time) {
	t := s.tick(now)
	for name, h := range s.shares {
		h.asking, h.rival, h.wanted, h.places, h.held, h.turns = false, false, 0, 0, 0, 0
		if h.node == nil {
			s.asks.drop(&h.timer)
			delete(s.shares, name)
		}
	}
	for _, d := range s.order {
		s.refresh(&d.node, t)
	}
}

// shareAll gives a destination, and what is above it, shares of the limits that hold now.
func (s *Schedule) shareAll(d *destination) {
	s.shareRoute(d.route)
	s.shareSite(d.at)
	s.shareDestination(d)
}
