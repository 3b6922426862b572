package pebblespool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Repaired is what a repair has found and done.
type Repaired struct {
	Mended     int64         // faults
	Left       spool.Checked // as it is now; its problems could not be mended
	Quarantine []spool.Damage
}

// maxRounds bounds a repair. What is mended may show what it hid, so that a spool is
// looked at again until nothing more can be done.
const maxRounds = 10

// Repair checks a spool that no process has open, and mends what it can without
// taking mail away: damaged messages go into quarantine, entries of an index that
// lead nowhere are dropped, missing ones written again, counts set right, and body files
// that no message names removed. Progress is told as in Check, in each round.
func Repair(ctx context.Context, dir string, opts Options, progress func(messages int64)) (Repaired, error) {
	opts.KeepFacts, opts.FactBytes = math.MaxInt64, math.MaxInt64 // the journal is trimmed by those who know for how long it is wanted
	s, err := open(dir, opts, false)
	if err != nil {
		return Repaired{}, fmt.Errorf("repair spool %s: %w", dir, err)
	}
	r, err := s.repair(ctx, progress)
	if err == nil {
		r.Quarantine, err = s.Damaged(ctx, mail.ID{}, spool.MaxPage)
	}
	return r, errors.Join(err, s.Close())
}

func (s *Spool) repair(ctx context.Context, progress func(int64)) (r Repaired, err error) {
	for range maxRounds {
		c := checker{s: s, ctx: ctx, progress: progress, repairs: true}
		if r.Left, err = c.run(); err != nil || len(c.mends) == 0 {
			return r, err
		}
		for _, mend := range c.mends {
			if err := mend(s); err != nil {
				return r, fmt.Errorf("repair: %w", err)
			}
		}
		if err := s.sync(); err != nil {
			return r, err
		}
		r.Mended += int64(len(c.mends))
	}
	c := checker{s: s, ctx: ctx, progress: progress}
	r.Left, err = c.run()
	return r, err
}

// damaged reports a problem for the sake of which a message goes into quarantine.
func (c *checker) damaged(id mail.ID, format string, args ...any) {
	c.problem(id, format, args...)
	c.later(func(s *Spool) error {
		s.damage(id, fmt.Sprintf(format, args...))
		return s.Err()
	})
}

// sweep removes a body file.
func (c *checker) sweep(number uint64) {
	c.later(func(s *Spool) error { return s.unlink([]uint64{number}) })
}

// mend makes a change in the index; nil: nothing can be done.
func (c *checker) mend(change func(*tx) error) {
	if change == nil {
		return
	}
	c.later(func(s *Spool) error {
		s.index <- struct{}{}
		defer func() { <-s.index }()
		t := s.newTx()
		defer t.close()
		if err := change(t); err != nil {
			return err
		}
		return t.apply()
	})
}

// later does something once all was read.
func (c *checker) later(do func(*Spool) error) {
	if c.repairs && len(c.mends) < maxProblems {
		c.mends = append(c.mends, do)
	}
}

// forget drops an entry.
func forget(key []byte) func(*tx) error {
	key = bytes.Clone(key)
	return func(t *tx) error { t.delete(key); return nil }
}

// queueAgain puts a waiting recipient under its destination.
func queueAgain(key []byte, st *standing) func(*tx) error {
	return func(t *tx) error {
		t.set(key, nil)
		p, err := t.place(st.Destination)
		if err == nil && p.found {
			p.wake(dueOf(st))
		}
		return err
	}
}

// countAgain counts a recipient of a destination that is not known.
func countAgain(st *standing) func(*tx) error {
	return func(t *tx) error {
		p, err := t.place(st.Destination)
		if err != nil {
			return err
		}
		p.count, p.dirty = p.count+1, true
		if st.place() == spool.Waiting {
			p.wake(dueOf(st))
		}
		return nil
	}
}

// recount says how many recipients a destination has.
func recount(name string, n int64) func(*tx) error {
	return func(t *tx) error {
		p, err := t.place(name)
		if err == nil {
			p.count, p.dirty = n, true
		}
		return err
	}
}

// visitAgain puts a destination into the index of destinations.
func visitAgain(at time.Time, name string) func(*tx) error {
	return func(t *tx) error { t.set(visitKey(at, name), nil); return nil }
}

// flyAgain puts a message into the index of first flights, or takes it out.
func flyAgain(env *mail.Envelope, fresh int) func(*tx) error {
	return func(t *tx) error {
		key := idKey(kFresh, env.ID)
		if fresh == 0 {
			t.delete(key)
		} else {
			t.set(key, appendFlight(nil, env))
		}
		return nil
	}
}

func progressAgain(id mail.ID, fresh, open int) func(*tx) error {
	return func(t *tx) error {
		b := binary.BigEndian.AppendUint32(nil, uint32(fresh))
		t.set(idKey(kProgress, id), binary.BigEndian.AppendUint32(b, uint32(open)))
		return nil
	}
}

// count changes a counter.
func count(kind int, by int64) func(*tx) error {
	return func(t *tx) error { t.count[kind] += by; return nil }
}
