package house

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// clusterLimit is how many deliveries to one destination there may be at a time, of all nodes of a
// cluster together.
const clusterLimit = 3

// crowd is the deliveries of a cluster that are under way. It holds the nodes to the limit that they share.
// A delivery counts as long as the epoch lasts in which it began: nobody can end one of a node that
// sleeps, or knows of it when the leases are forgotten.
type crowd struct{ flights map[*carriage]bool }

// carriage is one delivery.
type carriage struct {
	seat  *seat
	owner spool.Owner
	to    string
}

// lasts reports whether a delivery counts.
func (c *carriage) lasts(now time.Time) bool {
	return c.owner == c.seat.owner && now.Before(c.seat.until)
}

// begins takes a delivery that a node begins, and complains if there are too many; it returns what is
// to be called when it has ended.
func (b *Base) begins(s *seat, h mail.Hop) (ended func()) {
	if h.Route != "default" {
		return func() {}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &carriage{s, s.owner, h.Destination}
	if b.crowd.flights == nil {
		b.crowd.flights = map[*carriage]bool{}
	}
	b.crowd.flights[c] = true
	if now := time.Now(); now.Sub(b.fell) >= time.Minute { // until then it is not known who has what
		b.tooMany(c.to, now)
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.crowd.flights, c)
	}
}

// tooMany complains if there are. b.mu is held.
func (b *Base) tooMany(to string, now time.Time) {
	n := 0
	for c := range b.crowd.flights {
		if c.to == to && c.lasts(now) {
			n++
		}
	}
	b.most = max(b.most, n)
	if n > clusterLimit {
		b.world.Account.wrong("the nodes of %s carry %d letters to %s at a time, and may carry %d", b.name, n, to, clusterLimit)
	}
}
