package shelf

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

const (
	lookAgain  = time.Second      // after which a lock that somebody has is looked at again
	forgetLock = time.Hour        // after which the state of a lock whose holder died is tidied away
	letGo      = 10 * time.Second // the longest that letting go may take
)

// hold is a lock of ours, which is renewed until it is let go. Its state has a token that
// nobody else has, so that a write whose answer was lost is known again.
type hold struct {
	token  string
	cancel context.CancelFunc
	done   chan struct{}
}

// Lock implements [certmagic.Locker].
func (s *Shelf) Lock(ctx context.Context, name string) error {
	if err := checkKey(name); err != nil {
		return err
	}
	keeping, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &hold{token: rand.Text(), cancel: cancel, done: make(chan struct{})}
	if err := s.claim(ctx, name, h); err != nil {
		cancel()
		return err
	}
	version, err := s.take(ctx, name, h)
	if err != nil {
		cancel()
		close(h.done)
		s.unclaim(name)
		return err
	}
	go s.keep(keeping, name, h, version)
	return nil
}

// claim waits until nobody of this process has the lock: should the database lose it, it
// still holds here.
func (s *Shelf) claim(ctx context.Context, name string, h *hold) error {
	for {
		s.mu.Lock()
		_, taken := s.holds[name]
		if !taken {
			s.holds[name] = h
		}
		s.mu.Unlock()
		if !taken {
			return nil
		}
		if err := pause(ctx, lookAgain); err != nil {
			return err
		}
	}
}

func (s *Shelf) unclaim(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.holds, name)
}

// take waits until no other process has the lock, or until who has it has not renewed it
// for too long.
func (s *Shelf) take(ctx context.Context, name string, h *hold) (uint64, error) {
	var seen uint64
	var since time.Time
	for {
		st, err := s.opts.States.State(ctx, Locks, name)
		if err != nil && !errors.Is(err, spool.ErrNotFound) {
			return 0, fmt.Errorf("lock %s: %w", name, err)
		}
		if st.Version != seen {
			seen, since = st.Version, time.Now()
		}
		if st.Version == 0 || time.Since(since) >= s.opts.Stale {
			version, err := s.opts.States.PutState(ctx, h.state(name), st.Version)
			if !errors.Is(err, spool.ErrConflict) {
				return version, err
			}
			continue // somebody was quicker
		}
		if err := pause(ctx, lookAgain); err != nil {
			return 0, err
		}
	}
}

func (h *hold) state(name string) spool.State {
	return spool.State{Room: Locks, Key: name, Value: []byte(h.token), Expires: time.Now().Add(forgetLock)}
}

// keep renews a lock until it is let go, or somebody else has it.
func (s *Shelf) keep(ctx context.Context, name string, h *hold, version uint64) {
	defer close(h.done)
	tick := time.NewTicker(s.opts.Stale / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next, err := s.opts.States.PutState(ctx, h.state(name), version)
		if errors.Is(err, spool.ErrConflict) {
			next, err = s.ours(ctx, name, h)
		}
		switch {
		case err == nil && next == 0:
			return // who has it now is not to be disturbed
		case err == nil:
			version = next
		}
	}
}

// ours is the version of a lock if it is ours, and else 0.
func (s *Shelf) ours(ctx context.Context, name string, h *hold) (uint64, error) {
	st, err := s.opts.States.State(ctx, Locks, name)
	switch {
	case errors.Is(err, spool.ErrNotFound) || err == nil && string(st.Value) != h.token:
		return 0, nil
	case err != nil:
		return 0, err
	}
	return st.Version, nil
}

// Unlock implements [certmagic.Locker]. If the state cannot be removed, others wait until
// they hold its holder for dead.
func (s *Shelf) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	h := s.holds[name]
	s.mu.Unlock()
	if h == nil {
		return fmt.Errorf("lock %s: it is not ours", name)
	}
	h.cancel()
	<-h.done
	defer s.unclaim(name)
	ctx, cancel := context.WithTimeout(ctx, letGo)
	defer cancel()
	version, err := s.ours(ctx, name, h)
	if err == nil && version != 0 {
		_, err = s.opts.States.PutState(ctx, spool.State{Room: Locks, Key: name}, version)
	}
	if errors.Is(err, spool.ErrConflict) {
		return nil // it was lost meanwhile
	}
	return err
}

// pause waits for a time, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
