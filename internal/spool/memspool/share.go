package memspool

import (
	"context"
	"time"

	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

var _ spool.Sharer = (*Spool)(nil)

// Share implements [spool.Sharer].
func (s *Spool) Share(ctx context.Context, owner spool.Owner, asks []spool.Ask) ([]spool.Grant, error) {
	if err := spool.CheckAsks(asks); err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	s.book.Lapse(now)
	if err := s.book.Valid(owner, now); err != nil {
		return nil, err
	}
	alive := s.alive(now)
	if sabotage.Is("a share is granted to each node whole") {
		alive = []spool.Owner{owner}
	}
	grants := make([]spool.Grant, len(asks))
	for i := range asks {
		p := s.pools[asks[i].Name]
		grants[i] = p.Grant(owner, &asks[i], now, alive)
		if p.Idle(now) {
			delete(s.pools, asks[i].Name)
		} else {
			s.pools[asks[i].Name] = p
		}
	}
	return grants, nil
}

// alive are those whose epochs last.
func (s *Spool) alive(now time.Time) (all []spool.Owner) {
	for _, n := range s.nodes {
		if s.book.Valid(n.owner, now) == nil {
			all = append(all, n.owner)
		}
	}
	return all
}
