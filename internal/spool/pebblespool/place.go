package pebblespool

import (
	"bytes"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// place is a destination with waiting or held recipients.
type place struct {
	count int64     // waiting and held
	start time.Time // no later than the first due one that nobody leases; zero: there is none

	visit time.Time // where it stands in the index of destinations; zero: nowhere
	found bool      // on the disk
	dirty bool
}

func readPlace(b []byte) *place {
	d := spool.Decoder{Data: b}
	p := &place{count: d.Int(), start: d.Time(), found: len(b) > 0}
	p.visit = p.start
	return p
}

func (p *place) write(t *tx, name string) {
	if !p.dirty {
		return
	}
	next := p.start // when it is worth a visit
	if p.count <= 0 {
		next = time.Time{}
	}
	if !p.visit.IsZero() && !p.visit.Equal(next) {
		t.delete(visitKey(p.visit, name))
	}
	if !next.IsZero() && !p.visit.Equal(next) {
		t.set(visitKey(next, name), nil)
	}
	if p.count <= 0 {
		t.delete(nameKey(kPlace, name))
		return
	}
	var e spool.Encoder
	e.Int(p.count)
	e.Time(p.start)
	t.set(nameKey(kPlace, name), e)
}

func (t *tx) place(name string) (*place, error) {
	if p := t.places[name]; p != nil {
		return p, nil
	}
	b, err := t.s.get(nameKey(kPlace, name))
	if err != nil {
		return nil, err
	}
	if t.places == nil {
		t.places = map[string]*place{}
	}
	t.places[name] = readPlace(b)
	return t.places[name], nil
}

// wake sees to it that the destination is visited no later than at due.
func (p *place) wake(due time.Time) {
	if p.start.IsZero() || due.Before(p.start) {
		p.start, p.dirty = due, true
	}
}

// dueOf is when a waiting recipient is due; one that is due at once stands at the first instant.
func dueOf(s *standing) time.Time {
	if s.Due.IsZero() {
		return spool.Instant(1)
	}
	return s.Due
}

// dropMoved forgets what noteMoved remembered, once the lease has ended.
func (t *tx) dropMoved(ref spool.Ref) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	name, ok := t.s.moved[ref]
	if !ok {
		return
	}
	delete(t.s.moved, ref)
	if t.s.movedOf[name]--; t.s.movedOf[name] == 0 {
		delete(t.s.movedOf, name)
		t.delete(nameKey(kMoved, name))
	}
}

// noteMoved remembers that a destination is to start after a recipient that is leased.
func (t *tx) noteMoved(ref spool.Ref, name string) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if _, known := t.s.moved[ref]; known {
		return
	}
	t.s.moved[ref] = name
	if t.s.movedOf[name]++; t.s.movedOf[name] == 1 {
		t.set(nameKey(kMoved, name), nil)
	}
}

// restoreStarts makes the starts of destinations true again whose leases a
// crash, or a Close, has ended.
func (s *Spool) restoreStarts() error {
	t := s.newTx()
	defer t.close()
	var names []string
	err := s.scan(s.db, []byte{kMoved}, []byte{kMoved + 1}, func(key, _ []byte) bool {
		name, _ := cutName(key[1:])
		names = append(names, name)
		return true
	})
	for _, name := range names {
		if err != nil {
			return err
		}
		err = t.restoreStart(name)
		t.delete(nameKey(kMoved, name))
	}
	if err != nil {
		return err
	}
	return t.apply()
}

func (t *tx) restoreStart(name string) error {
	p, err := t.place(name)
	if err != nil || !p.found {
		return err
	}
	prefix := nameKey(kDue, name)
	return t.s.scan(t.s.db, prefix, after(prefix), func(key, _ []byte) bool {
		due, _ := cutDue(bytes.TrimPrefix(key, prefix))
		p.wake(due)
		return false
	})
}
