package memspool

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

var _ spool.Counter = (*Spool)(nil)

// count is what was counted under a key.
type count struct{ until, touched time.Time }

// Count implements [spool.Counter].
func (s *Spool) Count(ctx context.Context, room string, counted []spool.Counted, since time.Time) ([]spool.Count, time.Time, error) {
	if err := spool.CheckCounted(room, counted); err != nil {
		return nil, since, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, since, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	at := s.counts[room]
	if at == nil {
		at = map[string]count{}
		s.counts[room] = at
	}
	for _, c := range counted {
		until := at[c.Key].until
		if until.Before(now) {
			until = now
		}
		at[c.Key] = count{until.Add(c.By), now}
	}
	var all []spool.Count
	for key, c := range at {
		switch left := c.until.Sub(now); {
		case left <= 0 && now.Sub(c.touched) > spool.Hindsight:
			delete(at, key)
		case c.touched.After(since):
			all = append(all, spool.Count{Key: key, Left: max(left, 0)})
		}
	}
	slices.SortFunc(all, func(a, b spool.Count) int { return strings.Compare(a.Key, b.Key) })
	return all[:min(len(all), spool.MaxCounts)], now.Add(-spool.Hindsight), nil
}
