package memspool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

var (
	_ spool.Waker   = (*Spool)(nil)
	_ spool.Cluster = (*Spool)(nil)
)

// waker is somebody who wants to know what others leave.
type waker struct {
	node string
	to   chan struct{}
}

// Wake implements [spool.Waker].
func (s *Spool) Wake(node string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := waker{node, make(chan struct{}, 1)}
	s.wakers = append(s.wakers, w)
	return w.to
}

// wake tells everybody but the node that has left something; "": everybody. The
// spool is locked.
func (s *Spool) wake(by string) {
	for _, w := range s.wakers {
		if by != "" && w.node == by {
			continue
		}
		select {
		case w.to <- struct{}{}:
		default: // it has not looked since the last time
		}
	}
}

// joined keeps who has joined. The spool is locked.
func (s *Spool) joined(owner spool.Owner, ttl time.Duration, now time.Time) {
	n := s.nodes[owner.Name]
	if n == nil {
		n = &node{}
		s.nodes[owner.Name] = n
	}
	n.owner, n.ttl, n.since, n.beat = owner, ttl, now, now
}

// node is what is known of one that has joined.
type node struct {
	owner       spool.Owner
	ttl         time.Duration
	since, beat time.Time
	draining    bool
}

// Nodes implements [spool.Cluster].
func (s *Spool) Nodes(ctx context.Context) ([]spool.Node, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	s.book.Lapse(time.Now())
	var all []spool.Node
	for name, n := range s.nodes {
		all = append(all, spool.Node{
			Owner: n.owner, Since: n.since, Beat: n.beat, Until: n.beat.Add(n.ttl),
			Leases: int64(s.book.Held(name)), Draining: n.draining,
		})
	}
	slices.SortFunc(all, func(a, b spool.Node) int { return cmp.Compare(a.Owner.Name, b.Owner.Name) })
	return all, nil
}

// Drain implements [spool.Cluster].
func (s *Spool) Drain(ctx context.Context, name string, on bool) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	n := s.nodes[name]
	if n == nil {
		return fmt.Errorf("node %q: %w", name, spool.ErrNotFound)
	}
	n.draining = on
	s.wake("")
	return nil
}

// Draining implements [spool.Cluster].
func (s *Spool) Draining(ctx context.Context, name string) (bool, error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	n := s.nodes[name]
	return n != nil && n.draining, nil
}
