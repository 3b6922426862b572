package queue

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// ration is the part of a full window that one destination may hold: a tenth.
const ration = 10

// ahead is how long before its time mail is fetched from the spool.
const ahead = time.Minute

// Want is what the window would like to have from the spool.
type Want struct {
	// Room is how many recipients in all; zero: nothing is wanted.
	Room int
	// Each is how many of one destination.
	Each int
	// Skip are the destinations of which the window has enough.
	Skip []mail.Hop
	// Until: those whose Again is not after.
	Until time.Time
	// First: also those that were never tried, for which there was no room
	// when they arrived or which were there before we started.
	First bool

	missed uint64
}

// Want says what to lease from the spool. It asks for half of the free room, so
// that there is always some for new destinations; for a quarter of what one
// destination may have, so that it is asked for before the last of it is gone;
// and for nothing that Add would refuse. It looks at every destination in the
// window: ask when there is need (Add refused something, Settle made room, Until
// of the last answer has come), not in a loop.
func (s *Schedule) Want(now time.Time) Want {
	s.tick(now)
	free := s.opts.Window - s.size
	if free <= 0 {
		return Want{}
	}
	w := Want{Until: now.Add(ahead), First: s.missed != s.found, missed: s.missed}
	w.Room, w.Each = portion(free)
	for _, d := range s.order {
		if d.size > 0 && s.crowded(d) {
			w.Skip = append(w.Skip, d.hop)
		}
	}
	return w
}

// portion is how much is asked for when so much is free, in all and of each
// destination.
func portion(free int) (room, each int) { return (free + 1) / 2, max(1, free/(4*ration)) }

// crowded reports whether a destination has so much in the window that there
// might be no room for a portion more, when those of all others have come.
func (s *Schedule) crowded(d *destination) bool {
	free := s.opts.Window - s.size
	room, each := portion(free)
	return (free-room-(ration-1)*d.size)/ration < each
}

// Exhausted tells that the spool had less than was wanted: first flights need
// not be looked for again until Add refuses one.
func (s *Schedule) Exhausted(w Want) { s.found = max(s.found, w.missed) }

// room is how many more recipients a destination may have that has size
// already: never more than a ninth of what is then left free. So one destination
// alone gets a tenth of the window, many that are flooded share it evenly and
// leave some for the next one.
func (s *Schedule) room(size int) int {
	free := s.opts.Window - s.size
	room := (free - (ration-1)*size) / ration
	if size == 0 && free > 0 {
		return max(room, 1)
	}
	return max(room, 0)
}

func (s *Schedule) roomFor(h mail.Hop) int {
	if d := s.dests[keyOf(h)]; d != nil {
		return s.room(d.size)
	}
	return s.room(0)
}
