package pebblespool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// stampEvery is how exactly the disk knows when something was last leased.
const stampEvery = time.Second

// Join implements [spool.Engine].
func (s *Spool) Join(ctx context.Context, name string, ttl time.Duration) (spool.Owner, error) {
	if len(name) > spool.MaxName {
		return spool.Owner{}, fmt.Errorf("join: name of %d octets: %w", len(name), spool.ErrLimit)
	}
	if err := s.enter(ctx); err != nil {
		return spool.Owner{}, err
	}
	defer s.leave()
	s.mu.Lock()
	owner, freed := s.book.Join(name, ttl, time.Now())
	s.mu.Unlock()
	return owner, s.freed(freed)
}

// Beat implements [spool.Engine].
func (s *Spool) Beat(ctx context.Context, owner spool.Owner) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.Beat(owner, time.Now())
}

// Release implements [spool.Engine].
func (s *Spool) Release(ctx context.Context, owner spool.Owner, refs []spool.Ref) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.mu.Lock()
	var freed []spool.Ref
	for _, ref := range refs {
		if s.book.Free(owner, ref) {
			freed = append(freed, ref)
		}
	}
	s.mu.Unlock()
	return s.freed(freed)
}

// lapse frees what owners had that did not beat in time.
func (s *Spool) lapse() error {
	s.mu.Lock()
	freed := s.book.Lapse(time.Now())
	s.mu.Unlock()
	return s.freed(freed)
}

// freed sees to it that recipients are found again whose leases have ended.
func (s *Spool) freed(refs []spool.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	s.index <- struct{}{}
	defer func() { <-s.index }()
	t := s.newTx()
	defer t.close()
	for _, ref := range refs {
		t.dropMoved(ref)
		if err := t.find(ref); err != nil {
			return err
		}
	}
	return t.apply()
}

// find has the next Lease come by a recipient that stays where it is.
func (t *tx) find(ref spool.Ref) error {
	st, err := t.s.standing(ref)
	switch {
	case errors.Is(err, spool.ErrDamaged):
		return nil // the next one to read it will tell
	case err != nil:
		return err
	case st == nil:
		t.s.mu.Lock()
		t.s.flights.add(ref.ID)
		t.s.mu.Unlock()
		return nil
	case st.place() != spool.Waiting:
		return nil
	}
	p, err := t.place(st.Destination)
	if err == nil {
		p.wake(dueOf(st))
	}
	return err
}

// Lease implements [spool.Engine].
func (s *Spool) Lease(ctx context.Context, owner spool.Owner, want spool.Want) (spool.Taken, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Taken{}, err
	}
	defer s.leave()
	if err := s.lapse(); err != nil {
		return spool.Taken{}, err
	}
	h := &haul{s: s, owner: owner, want: want, now: time.Now(), at: map[mail.ID]int{}, read: map[mail.ID]record{}}
	s.mu.Lock()
	err := s.book.Valid(owner, h.now)
	s.mu.Unlock()
	if err != nil {
		return spool.Taken{}, err
	}
	err = h.run()
	for id, what := range h.damaged {
		s.damage(id, what)
	}
	if err == nil && h.stamped {
		err = s.sync() // before anything that was leased is tried
	}
	return h.taken, err
}

// haul is one call of Lease.
type haul struct {
	s       *Spool
	t       *tx
	owner   spool.Owner
	want    spool.Want
	now     time.Time
	taken   spool.Taken
	n       int
	full    bool               // there is more than was wanted
	stamped bool               // the disk is to know that something was leased
	at      map[mail.ID]int    // the lease of a message in taken
	read    map[mail.ID]record // so far
	damaged map[mail.ID]string
}

func (h *haul) run() error {
	h.s.index <- struct{}{}
	defer func() { <-h.s.index }()
	h.t = h.s.newTx()
	defer h.t.close()
	if err := h.fresh(); err != nil {
		return err
	}
	if err := h.waiting(); err != nil {
		return err
	}
	h.taken.More = h.taken.More || h.full
	h.stamped = h.n > 0 && h.t.stamp(h.now)
	if err := h.t.apply(); err != nil {
		return err
	}
	h.s.soon()
	return nil
}

// stamp writes down that something is leased about now, and reports whether it was
// to be written: after a crash, who was due by then is suspect.
func (t *tx) stamp(at time.Time) bool {
	now := at.UnixNano()
	if now-t.s.stamped.Load() <= int64(stampEvery) {
		return false
	}
	t.set(metaStamp, binary.BigEndian.AppendUint64(nil, uint64(now)))
	t.s.stamped.Store(now)
	return true
}

// What became of a candidate.
type verdict int

const (
	got    verdict = iota
	had            // somebody has it
	passed         // free, but not wanted now
)

// consider takes a recipient if it is free and wanted.
func (h *haul) consider(rec record, st spool.Standing) verdict {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	ref := spool.Ref{ID: rec.env.ID, Recipient: st.Recipient}
	switch {
	case h.s.book.Owner(ref) != (spool.Owner{}):
		return had
	case !h.wants(st.Destination):
		return passed
	case h.n >= h.want.Recipients:
		h.full = true
		return passed
	}
	i, has := h.at[ref.ID]
	if !has {
		i = len(h.taken.Leases)
		h.at[ref.ID] = i
		h.taken.Leases = append(h.taken.Leases, spool.Lease{Envelope: *rec.env})
	}
	h.taken.Leases[i].Recipients = append(h.taken.Leases[i].Recipients, st)
	h.s.book.Take(h.owner, ref, st.Destination)
	h.n++
	return got
}

// wants reports whether more of a destination may be taken. Spool.mu is held.
func (h *haul) wants(name string) bool {
	return !slices.Contains(h.want.Skip, name) && h.s.book.Room(h.owner, name, h.want.PerDestination) > 0
}

// record is an envelope as it is on the disk.
type record struct {
	env *mail.Envelope
	head
}

// envelope reads one; env is nil if it is damaged, which is told at the end of the call.
func (h *haul) envelope(id mail.ID) (record, error) {
	if rec, ok := h.read[id]; ok {
		return rec, nil
	}
	rec, err := h.s.record(id)
	switch {
	case errors.Is(err, spool.ErrDamaged), errors.Is(err, spool.ErrNotFound):
		h.damage(id, err.Error())
		return record{}, nil
	case err == nil:
		h.read[id] = rec
	}
	return rec, err
}

func (h *haul) damage(id mail.ID, what string) {
	if h.damaged == nil {
		h.damaged = map[mail.ID]string{}
	}
	h.damaged[id] = what
}

// record reads the envelope of a message. ErrNotFound; ErrDamaged.
func (s *Spool) record(id mail.ID) (record, error) {
	b, err := s.get(idKey(kEnvelope, id))
	if err != nil {
		return record{}, err
	}
	if b == nil {
		return record{}, fmt.Errorf("envelope of %s: %w", id, spool.ErrNotFound)
	}
	env, head, err := readEnvelope(id, b)
	if err != nil {
		return record{}, fmt.Errorf("envelope of %s: %w: %w", id, spool.ErrDamaged, err)
	}
	return record{env, head}, nil
}

// freshStanding is where a recipient stands that was never settled.
func (s *Spool) freshStanding(rec record, i int) spool.Standing {
	st := first(rec.env, i)
	st.Suspect = rec.generation <= s.unclean.generation && !sabotage.Is("a restart suspects nobody") ||
		s.suspect(spool.Ref{ID: rec.env.ID, Recipient: i})
	return st
}

// suspect: an owner had it whose epoch is over.
func (s *Spool) suspect(ref spool.Ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.Suspect(ref)
}

// shownStanding is a standing with what this life knows of the last one.
func (s *Spool) shownStanding(id mail.ID, st *standing) spool.Standing {
	st.Suspect = st.Suspect || st.generation <= s.unclean.generation && !st.Due.After(s.unclean.at) ||
		s.suspect(spool.Ref{ID: id, Recipient: st.Recipient})
	return st.Standing
}
