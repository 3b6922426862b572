package pebblespool

import (
	"context"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

func stateKey(room, key string) []byte { return append(nameKey(kState, room), key...) }

func expiryKey(st *spool.State) []byte {
	return append(appendName(appendTime([]byte{kExpiry}, st.Expires), st.Room), st.Key...)
}

func readState(room, key string, value []byte) (spool.State, error) {
	d := spool.Decoder{Data: value}
	st := spool.State{Room: room, Key: key, Version: uint64(d.Int()), Expires: d.Time(), Value: []byte(d.Text())}
	return st, d.End()
}

func expired(st *spool.State) bool { return !st.Expires.IsZero() && !st.Expires.After(time.Now()) }

// State implements [spool.Engine].
func (s *Spool) State(ctx context.Context, room, key string) (spool.State, error) {
	if err := s.enter(ctx); err != nil {
		return spool.State{}, err
	}
	defer s.leave()
	st, there, err := s.state(room, key)
	if err == nil && (!there || expired(&st)) {
		return spool.State{}, fmt.Errorf("state %q in %q: %w", key, room, spool.ErrNotFound)
	}
	return st, err
}

// state reads one, expired or not.
func (s *Spool) state(room, key string) (st spool.State, there bool, err error) {
	b, err := s.get(stateKey(room, key))
	if b == nil || err != nil {
		return spool.State{}, false, err
	}
	st, err = readState(room, key, b)
	return st, true, err
}

// PutState implements [spool.Engine].
func (s *Spool) PutState(ctx context.Context, st spool.State, was uint64) (uint64, error) {
	if err := st.Check(); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	s.index <- struct{}{}
	defer func() { <-s.index }()
	old, there, err := s.state(st.Room, st.Key)
	if err != nil {
		return 0, err
	}
	stands := old.Version
	if there && expired(&old) {
		stands = 0
	}
	if stands != was {
		return 0, fmt.Errorf("state %q in %q: %w", st.Key, st.Room, spool.ErrConflict)
	}
	t := s.newTx()
	defer t.close()
	if there {
		t.deleteState(&old)
	}
	if st.Value != nil {
		s.version++
		st.Version = s.version
		t.setState(&st)
	} else {
		st.Version = 0
	}
	if err := t.apply(); err != nil {
		return 0, err
	}
	s.soon()
	return st.Version, nil
}

func (t *tx) setState(st *spool.State) {
	var e spool.Encoder
	e.Int(int64(st.Version))
	e.Time(st.Expires)
	e.Text(string(st.Value))
	t.set(stateKey(st.Room, st.Key), e)
	if !st.Expires.IsZero() {
		t.set(expiryKey(st), nil)
	}
	t.count[countStates]++
}

func (t *tx) deleteState(st *spool.State) {
	t.delete(stateKey(st.Room, st.Key))
	if !st.Expires.IsZero() {
		t.delete(expiryKey(st))
	}
	t.count[countStates]--
}

// States implements [spool.Engine].
func (s *Spool) States(ctx context.Context, room, after_ string, limit int) ([]spool.State, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	prefix := nameKey(kState, room)
	from := prefix
	if after_ != "" {
		from = append(stateKey(room, after_), 0)
	}
	var list []spool.State
	var inner error
	err := s.scan(s.db, from, after(prefix), func(key, value []byte) bool {
		var st spool.State
		if st, inner = readState(room, string(key[len(prefix):]), value); inner != nil {
			return false
		}
		if !expired(&st) {
			list = append(list, st)
		}
		return len(list) < spool.Limit(limit)
	})
	if err == nil {
		err = inner
	}
	return list, err
}

// expireStates removes states that have expired.
func (s *Spool) expireStates() error {
	s.index <- struct{}{}
	defer func() { <-s.index }()
	t := s.newTx()
	defer t.close()
	n := 0
	var inner error
	err := s.scan(s.db, []byte{kExpiry}, appendTime([]byte{kExpiry}, time.Now().Add(1)), func(key, _ []byte) bool {
		room, name := cutName(key[9:])
		var st spool.State
		var there bool
		if st, there, inner = s.state(room, string(name)); inner != nil {
			return false
		}
		if there && expired(&st) {
			t.deleteState(&st)
		} else {
			t.delete(key)
		}
		n++
		return n < maxTrimmed
	})
	if err == nil {
		err = inner
	}
	if err != nil {
		return err
	}
	return t.apply()
}
