package queue

import "github.com/posthouse/posthouse/internal/mail"

// Known is a destination of which something is known, and the hop by which its
// mail goes there. Several routes may lead to a destination of one name.
type Known struct {
	Hop mail.Hop
	Status
}

// Known returns what is known of destinations with one of the names, in the order
// in which they became known. It visits all that there are.
func (s *Schedule) Known(names []string) []Known {
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	var found []Known
	for _, d := range s.order {
		if !wanted[d.hop.Destination] {
			continue
		}
		if st, ok := s.Destination(d.hop); ok {
			found = append(found, Known{d.hop, st})
		}
	}
	return found
}

// Settings are what holds for mail that goes by a route, defaults included.
func (s *Schedule) Settings(route string) Route { return s.opts.route(route) }
