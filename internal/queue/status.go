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
}

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
