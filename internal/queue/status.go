package queue

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Status is what the schedule knows of a destination, for people.
type Status struct {
	Site       string // its operator; "": it stands alone
	Recipients int    // in the window
	InFlight   int    // deliveries under way
	AtOnce     int    // deliveries there may be now; 0: no limit
	Opens      time.Time
	Down       time.Time   // since; zero: it is not down
	Probes     int         // tries in vain, in a row
	Reply      *smtp.Reply // of the last of them
	// Shared are the limits above it that several schedules share: its own, its
	// operator's and its route's.
	Shared []Portion
}

// Portion is what a schedule has of the places of a limit that it shares.
type Portion struct {
	By     Level
	Limit  int // places, for all schedules together
	Places int // of them ours now
	Busy   int // of those in use
}

// Level is for what a limit holds.
type Level uint8

// The levels of limits.
const (
	ByDestination Level = iota
	BySite
	ByRoute
)

// Destination returns the status of a destination. It returns false if nothing
// is known of it: it was never tried, or not for long.
func (s *Schedule) Destination(h mail.Hop) (Status, bool) {
	d := s.dests[keyOf(h)]
	if d == nil {
		return Status{}, false
	}
	st := Status{
		Site: d.at.key.operator, Recipients: d.size, InFlight: d.busy, AtOnce: d.most,
		Down: d.since.time(), Probes: d.probes, Reply: d.reply,
	}
	if at := max(d.gate(), d.at.gate()); at > s.now {
		st.Opens = at.time()
	}
	for by, n := range []*node{&d.node, &d.at.node, &d.route.node} {
		if h := n.share; h.limited() {
			st.Shared = append(st.Shared, Portion{Level(by), h.limits.Deliveries, h.held, n.busy})
		}
	}
	return st, true
}

// Load is how much there is in the window.
type Load struct {
	Recipients   int
	Room         int // for more
	Destinations int // known, those without mail included
	InFlight     int // deliveries
}

// Load returns how much there is in the window.
func (s *Schedule) Load() Load {
	return Load{s.size, s.opts.Window - s.size, len(s.dests), s.house.busy}
}
