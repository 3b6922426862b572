package memspool

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Note implements [spool.Engine].
func (s *Spool) Note(ctx context.Context, facts []spool.Fact) error {
	for i := range facts {
		if len(facts[i].Data) > spool.MaxFact {
			return fmt.Errorf("note: %w", spool.ErrLimit)
		}
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for i := range facts {
		s.record(facts[i].ID, facts[i:i+1])
	}
	return nil
}

// record appends facts about a message and forgets the ones past keeping.
func (s *Spool) record(id mail.ID, facts []spool.Fact) {
	d := &s.disk
	before := d.lastSeq
	for _, f := range facts {
		d.lastSeq = max(d.lastSeq+1, uint64(time.Now().UnixNano()))
		f.ID, f.Seq, f.Data = id, d.lastSeq, slices.Clone(f.Data)
		d.facts = append(d.facts, f)
		d.factBytes += int64(len(f.Data))
	}
	if len(facts) > 0 {
		d.log(func(d *disk) { d.forgetAfter(before) })
	}
	keep := uint64(time.Now().Add(-s.opts.KeepFacts).UnixNano())
	for len(d.facts) > 0 && (d.facts[0].Seq < keep || d.factBytes > s.opts.FactBytes) {
		d.factBytes -= int64(len(d.facts[0].Data))
		d.facts = d.facts[1:]
	}
}

func (d *disk) forgetAfter(seq uint64) {
	for n := len(d.facts); n > 0 && d.facts[n-1].Seq > seq; n-- {
		d.factBytes -= int64(len(d.facts[n-1].Data))
		d.facts = d.facts[:n-1]
	}
}

// Facts implements [spool.Engine].
func (s *Spool) Facts(ctx context.Context, q spool.FactQuery) (spool.FactPage, error) {
	if err := s.enter(ctx); err != nil {
		return spool.FactPage{}, err
	}
	defer s.mu.Unlock()
	var page spool.FactPage
	next := slices.All(s.disk.facts)
	if q.Newest {
		next = slices.Backward(s.disk.facts)
	}
	for _, f := range next {
		if !chosen(&q, &f) {
			continue
		}
		if len(page.Facts) == spool.Limit(q.Limit) {
			page.More = true
			break
		}
		f.Data = slices.Clone(f.Data)
		page.Facts = append(page.Facts, f)
	}
	return page, nil
}

func chosen(q *spool.FactQuery, f *spool.Fact) bool {
	if !q.ID.IsZero() && f.ID != q.ID {
		return false
	}
	if !q.Since.IsZero() && f.Seq < uint64(q.Since.UnixNano()) {
		return false
	}
	if q.Newest {
		return q.After == 0 || f.Seq < q.After
	}
	return f.Seq > q.After
}

// State implements [spool.Engine].
func (s *Spool) State(ctx context.Context, room, key string) (spool.State, error) {
	if err := s.enter(ctx); err != nil {
		return spool.State{}, err
	}
	defer s.mu.Unlock()
	st, ok := s.state(stateKey{room, key})
	if !ok {
		return spool.State{}, fmt.Errorf("state %q in %q: %w", key, room, spool.ErrNotFound)
	}
	return st, nil
}

// state reads one, and forgets it if it has expired.
func (s *Spool) state(k stateKey) (spool.State, bool) {
	st, ok := s.disk.states[k]
	if ok && !st.Expires.IsZero() && !st.Expires.After(time.Now()) {
		s.disk.setState(k, nil)
		return spool.State{}, false
	}
	st.Value = slices.Clone(st.Value)
	return st, ok
}

// PutState implements [spool.Engine].
func (s *Spool) PutState(ctx context.Context, st spool.State, was uint64) (uint64, error) {
	if err := st.Check(); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	k := stateKey{st.Room, st.Key}
	old, ok := s.state(k)
	if old.Version != was {
		return 0, fmt.Errorf("state %q in %q: %w", st.Key, st.Room, spool.ErrConflict)
	}
	undo := &old
	if !ok {
		undo = nil
	}
	s.disk.log(func(d *disk) { d.setState(k, undo) })
	if st.Value == nil {
		s.disk.setState(k, nil)
		return 0, nil
	}
	s.disk.version++
	st.Version, st.Value = s.disk.version, slices.Clone(st.Value)
	s.disk.setState(k, &st)
	return st.Version, nil
}

func (d *disk) setState(k stateKey, st *spool.State) {
	if st == nil {
		delete(d.states, k)
		d.stateKeys.remove(k)
		return
	}
	d.states[k] = *st
	d.stateKeys.add(k)
}

// States implements [spool.Engine].
func (s *Spool) States(ctx context.Context, room, after string, limit int) ([]spool.State, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var list []spool.State
	for _, k := range slices.Clone(s.disk.stateKeys.from(stateKey{room, after})) {
		if k.room != room || len(list) == spool.Limit(limit) {
			break
		}
		if st, ok := s.state(k); ok && k.key != after {
			list = append(list, st)
		}
	}
	return list, nil
}
