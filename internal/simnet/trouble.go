package simnet

import (
	"errors"
)

// Errors of a program whose host has ended it.
var (
	errNoPower = errors.New("the host has no power")
	errKilled  = errors.New("the program was killed")
)

// Cut is where connections break.
type Cut struct {
	From, To string // hosts; From has dialled; "": any
	Nth      int    // the how manieth connection from there to one address; 0: each
	Back     bool   // the octets are counted that go back to From
	At       int64  // octets that get through; with the last of them the connection breaks
	// Silent: nobody is told. Who waits for something waits in vain, until he
	// has waited long enough.
	Silent bool
}

func (c *Cut) means(e Event) bool {
	return (c.From == "" || c.From == e.From) && (c.To == "" || c.To == e.To) && (c.Nth == 0 || c.Nth == e.Nth)
}

// Cut breaks connections to come, in the place of what the weather would do to
// them. Of two that mean the same connection the first counts.
func (n *Net) Cut(c Cut) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts = append(n.cuts, &c)
}

// Part takes the road between two hosts away: nothing arrives and no connection is
// made until [Net.Join]. What was sent meanwhile arrives then, unless that is more than 15 minutes later.
func (n *Net) Part(a, b string) { n.road(a, b, true) }

// Join gives the road back.
func (n *Net) Join(a, b string) { n.road(a, b, false) }

func (n *Net) road(a, b string, parted bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parted[between(a, b)] = parted
	for l := range n.links {
		if between(l.event.From, l.event.To) == between(a, b) {
			l.stall(parted)
		}
	}
	n.comeBack()
}

// Kill ends all programs of the host at once, as kill -9 does. The system closes
// what they had open, so that their peers hear of it. The host can listen again at once.
func (h *Host) Kill() {
	for _, c := range h.leave() {
		_ = c.end(errKilled, false)
	}
}

// Crash cuts the power of the host: its programs end, and nobody hears of it.
// Until it listens again it does not answer, and knows nothing of old connections then.
func (h *Host) Crash() {
	h.down.Store(true)
	for _, c := range h.leave() {
		c.vanish()
	}
}

// leave closes all that listens, and returns the ends of connections.
func (h *Host) leave() []*conn {
	h.net.mu.Lock()
	var listeners []*listener
	for _, l := range h.listeners {
		listeners = append(listeners, l)
	}
	var sockets []*socket
	for _, s := range h.sockets {
		sockets = append(sockets, s)
	}
	var ends []*conn
	for l := range h.net.links {
		for _, c := range l.ends {
			if c != nil && l.hosts[c.index] == h {
				ends = append(ends, c)
			}
		}
	}
	h.net.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, s := range sockets {
		_ = s.Close()
	}
	return ends
}

// rise gives a host power that had none. n.mu is held.
func (h *Host) rise() {
	if !h.down.Swap(false) {
		return
	}
	for l := range h.net.links {
		for _, c := range l.ends {
			if c != nil && l.hosts[1-c.index] == h {
				c.back()
			}
		}
	}
	h.net.comeBack()
}
