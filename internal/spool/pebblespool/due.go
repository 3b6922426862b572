package pebblespool

import (
	"errors"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// waiting takes due recipients, the destination whose first one is the longest
// due before the others, and finds out when the next one will be due.
func (h *haul) waiting() error {
	var inner error
	err := h.s.scan(h.s.db, []byte{kVisit}, []byte{kVisit + 1}, func(key, _ []byte) bool {
		at := timeOf(key[1:])
		name, _ := cutName(key[9:])
		if at.After(h.now) {
			if slices.Contains(h.want.Skip, name) {
				return true
			}
			h.later(at)
			return false
		}
		inner = h.visit(name)
		return inner == nil && !h.full
	})
	return errors.Join(err, inner)
}

// later notes that something falls due.
func (h *haul) later(due time.Time) {
	if h.taken.Next.IsZero() || due.Before(h.taken.Next) {
		h.taken.Next = due
	}
}

// visit takes what it may of one destination.
func (h *haul) visit(name string) error {
	h.s.mu.Lock()
	wanted := h.wants(name)
	h.s.mu.Unlock()
	if !wanted {
		return nil
	}
	p, err := h.t.place(name)
	if err != nil {
		return err
	}
	start, err := h.take(name, p.start)
	if err == nil && !start.Equal(p.start) {
		p.start, p.dirty = start, true
	}
	if start.After(h.now) {
		h.later(start)
	}
	return err
}

// take takes due recipients of a destination, from the given due time on. It
// returns when the first one is due that it left; zero: it left none.
func (h *haul) take(name string, from time.Time) (start time.Time, err error) {
	prefix := nameKey(kDue, name)
	var inner error
	err = h.s.scan(h.s.db, appendTime(slices.Clip(prefix), from), after(prefix), func(key, _ []byte) bool {
		due, ref := cutDue(key[len(prefix):])
		left := due.After(h.now)
		if !left {
			left, inner = h.takeOne(name, ref)
		}
		if left {
			start = due
		}
		return !left && inner == nil
	})
	return start, errors.Join(err, inner)
}

// takeOne takes a due recipient if it is free. It reports whether it was left.
func (h *haul) takeOne(name string, ref spool.Ref) (left bool, err error) {
	if h.s.hidden(ref.ID) {
		return true, nil
	}
	st, err := h.s.standing(ref)
	if errors.Is(err, spool.ErrDamaged) || err == nil && st == nil {
		h.damage(ref.ID, "the standing of a recipient is missing or damaged")
		return false, nil
	}
	if err != nil {
		return false, err
	}
	rec, err := h.envelope(ref.ID)
	if rec.env == nil || err != nil {
		return false, err
	}
	v := h.consider(rec, h.s.shownStanding(ref.ID, st))
	if v != passed {
		h.t.noteMoved(ref, name)
	}
	return v == passed, nil
}
