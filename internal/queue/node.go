package queue

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// node is a step on the way down to the mail that waits. There are five kinds,
// each below the one before: the house, a route of it, a site of the route, a
// destination of the site, and a sender with mail for the destination. Below
// the sender are its parcels.
//
// A node is in the rota of the node above it as long as something below it
// could start now, and only then. So a start walks down five rotas, and meets
// nothing that is at its limit, shut or asleep.
type node struct {
	up   *node
	kids rota
	turn turn  // place among up.kids
	wake timer // when a node that is not open will be, or has mail that will be due

	busy  int           // deliveries in flight
	most  int           // of them at once; 0: no limit
	space time.Duration // between two starts at least
	pace  instant       // no start before, because of space
	shut  instant       // no start before, because it is down or we asked too much of ourselves

	load  int    // recipients below it that are in the window
	share *share // of its limits; nil: they are its own

	dest *destination // if the node is one
	site *site        // if the node is one
}

func (n *node) init(up *node) {
	n.up, n.turn.node, n.wake.node = up, n, n
}

// gate is when the node opens, if it is not full.
func (n *node) gate() instant {
	at := max(n.pace, n.shut)
	if n.share.rated() && n.share.turns > 0 {
		at = max(at, n.share.turn)
	}
	return at
}

// full: nothing can start before something happens.
func (n *node) full() bool { return n.most > 0 && n.busy >= n.most || n.share.lacks(n) }

func (n *node) open(now instant) bool { return !n.full() && n.gate() <= now }

// begin notes a delivery that starts.
func (n *node) begin(now instant) {
	n.busy++
	if n.share != nil {
		n.share.begin(n.busy)
	}
	if n.space > 0 && !n.share.rated() {
		n.pace = now.add(n.space)
	}
}

// show puts the node into the rota above it, or takes it out of it.
func (n *node) show(open bool) {
	if open && !n.kids.empty() {
		n.up.kids.put(&n.turn, n.kids.top())
	} else {
		n.up.kids.remove(&n.turn)
	}
}

// route is the node of a route and what is configured for it.
type route struct {
	node
	name  string
	conf  Route
	sites map[siteKey]*site
}

// siteKey names a site of a route: an operator, or a destination that stands
// for itself.
type siteKey struct {
	operator string
	alone    destKey
}

// site is who stands behind destinations of a route: an MX operator, or one
// destination alone.
type site struct {
	node
	health
	key   siteKey
	route *route
	dests int // destinations that it stands behind
	falls int // destinations of it that went down since one of them answered

	// favours is how often in a row the site was let go first because a
	// connection to it had just come free.
	favours int
	favored bool
}

type destKey struct{ route, transport, destination string }

func keyOf(h mail.Hop) destKey { return destKey{h.Route, h.Transport, h.Destination} }

// destination is where parcels are carried to.
type destination struct {
	node
	health
	key     destKey
	hop     mail.Hop
	route   *route
	at      *site
	spot    int              // index in the schedule's order
	idle    turn             // place among those without mail
	size    int              // recipients in the window
	waiting agenda           // parcels that are not due, or were not when last looked at
	senders map[string]*node // those who have parcels that are due
}

// health is what is known of a destination, or a site, that could not be
// talked with. It is known once, and not by each of the mails that wait.
type health struct {
	since  instant // down since; 0: not down
	probes int     // tries in vain in a row
	reply  *smtp.Reply
}

func (h *health) down() bool { return h.since != 0 }

// message is what the recipients of one message in the window have in common.
type message struct {
	id       mail.ID
	sender   string
	null     bool
	trace    bool
	late     bool // By asks for a notice, not for a return
	priority int8
	from     instant // its time counts from here
	by       instant // 0: not asked
	size     int     // recipients in the window
	parcels  []*parcel
}

// parcel is recipients of one message that go to one destination together, and
// are due at the same time. It waits in its destination's agenda, or has a turn
// at its sender's rota, or is in flight.
type parcel struct {
	msg  *message
	dest *destination
	to   []rcpt
	due  instant
	wait timer // in dest.waiting
	late timer // in the schedule's deadlines
	turn turn  // in the rota of its sender
	spot int   // index in msg.parcels

	id      uint64 // of the delivery; 0: not in flight
	started instant
	site    *site // that the delivery counts for
}

// rcpt is a recipient in the window.
type rcpt struct {
	index  int
	tries  int
	next   instant
	chance instant // until when time decides nothing about him
	reply  *smtp.Reply
	notify smtp.Notify
	warned bool
	late   bool
}

func (r *rcpt) state() State {
	return State{Tries: r.tries, Next: r.next.time(), Warned: r.warned, Late: r.late, Reply: r.reply}
}
