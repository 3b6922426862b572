package pebblespool

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// maxLooks bounds how many first flights one Lease looks at, since those of
// destinations that are skipped stand among the others. The next one goes on after them.
const maxLooks = 20_000

// flights says where to look for first flights: from mark to the end, and then
// from behind to mark. What is in neither part was leased. A restart looks at all.
type flights struct {
	mark   mail.ID
	behind mail.ID // lastID: nothing is left behind
}

// lastID is after every ID there is.
var lastID = mail.ID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// add has the search come by a message. Spool.mu is held.
func (f *flights) add(id mail.ID) {
	if before(id, f.mark) {
		f.mark = id
	}
}

func before(a, b mail.ID) bool { return bytes.Compare(a[:], b[:]) < 0 }

// fresh takes first flights, by age.
func (h *haul) fresh() error {
	h.s.mu.Lock()
	search := h.s.flights
	h.s.flights = flights{lastID, lastID} // whoever adds one meanwhile is heard
	h.s.mu.Unlock()
	l := look{haul: h, left: lastID, next: lastID}
	err := l.scan(search.mark, lastID)
	if err == nil && l.next == lastID && before(search.behind, search.mark) {
		err = l.scan(search.behind, search.mark)
	} else if before(search.behind, l.left) {
		l.left = search.behind
	}
	if err != nil {
		l.next = mail.ID{}
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	if l.next == lastID { // all was looked at
		h.s.flights.add(l.left)
		return err
	}
	h.taken.More = true
	h.s.flights.add(l.next)
	h.s.flights.behind = l.left
	return err
}

// look is one search for first flights.
type look struct {
	*haul
	left  mail.ID // the first one that was left although it is free
	next  mail.ID // where the search stopped; lastID: it did not
	looks int
}

func (l *look) scan(from, to mail.ID) error {
	var inner error
	err := l.s.scan(l.s.db, idKey(kFresh, from), idKey(kFresh, to), func(key, value []byte) bool {
		id := idOf(key)
		if l.looks++; l.looks > maxLooks || l.full {
			l.next = id
			return false
		}
		switch destination, single := readFlight(value); {
		case l.s.spoken(id, single):
		case single && !l.wanted(destination):
			l.leave(id)
		default:
			inner = l.message(id)
		}
		return inner == nil
	})
	return errors.Join(err, inner)
}

// appendFlight prints the record of a first flight.
func appendFlight(dst []byte, env *mail.Envelope) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(env.To)))
	if len(env.To) == 1 {
		dst = append(dst, first(env, 0).Destination...)
	}
	return dst
}

// readFlight returns the destination of a first flight, if it has a single recipient.
func readFlight(b []byte) (destination string, single bool) {
	if len(b) < 4 || binary.BigEndian.Uint32(b) != 1 {
		return "", false
	}
	return string(b[4:]), true
}

// spoken reports whether there is nothing to lease of a message, without
// reading it: it is not durable yet, or its one recipient is leased.
func (s *Spool) spoken(id mail.ID, single bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[id] || single && s.book.Owner(spool.Ref{ID: id}) != (spool.Owner{})
}

func (h *haul) wanted(destination string) bool {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return h.wants(destination)
}

// leave notes a message that is free, and was not taken.
func (l *look) leave(id mail.ID) {
	if before(id, l.left) {
		l.left = id
	}
}

// message takes what it may of one.
func (l *look) message(id mail.ID) error {
	rec, err := l.envelope(id)
	if rec.env == nil || err != nil {
		return err
	}
	for i := range rec.env.To {
		if len(rec.env.To) > 1 {
			settled, err := l.s.has(refKey(kStanding, spool.Ref{ID: id, Recipient: i}))
			if err != nil {
				return err
			}
			if settled {
				continue
			}
		}
		if l.consider(rec, l.s.freshStanding(rec, i)) == passed {
			l.leave(id)
		}
	}
	return nil
}
