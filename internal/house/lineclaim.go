package house

import (
	"context"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// Join implements [spool.Engine]. The name is that of the node.
func (l *line) Join(ctx context.Context, name string, ttl time.Duration) (spool.Owner, error) {
	return asked(ctx, l, "join", name, func(s *memspool.Spool) (spool.Owner, error) {
		owner, err := s.Join(context.Background(), l.seat.node, ttl)
		if err == nil {
			l.base.joined(l.seat, owner, ttl)
			l.base.wake(l.seat)
		}
		return owner, err
	})
}

// ttl is how long the epochs of a house last.
const ttl = 30 * time.Second

// Beat implements [spool.Engine].
func (l *line) Beat(ctx context.Context, owner spool.Owner) error {
	return l.call(ctx, "beat", owner, func(s *memspool.Spool) error {
		return l.tenant(s.Beat(context.Background(), owner), func() { l.seat.renewed(ttl) })
	})
}

// tenant takes what an owner was told.
func (l *line) tenant(err error, well func()) error {
	switch {
	case err == nil:
		well()
	case errors.Is(err, spool.ErrLeaseLost):
		l.base.lapsed(l.seat)
	}
	return err
}

// Lease implements [spool.Engine].
func (l *line) Lease(ctx context.Context, owner spool.Owner, want spool.Want) (spool.Taken, error) {
	return asked(ctx, l, "lease", owner, func(s *memspool.Spool) (spool.Taken, error) {
		taken, err := s.Lease(context.Background(), owner, want)
		return taken, l.tenant(err, func() {
			for i := range taken.Leases {
				l.base.leased(l.seat, owner, &taken.Leases[i])
			}
		})
	})
}

// Release implements [spool.Engine].
func (l *line) Release(ctx context.Context, owner spool.Owner, refs []spool.Ref) error {
	return l.call(ctx, "release", refs[0], func(s *memspool.Spool) error {
		err := s.Release(context.Background(), owner, refs)
		if err == nil {
			l.base.free(owner, refs...)
			l.base.wake(l.seat)
		}
		return err
	})
}

// Settle implements [spool.Engine].
func (l *line) Settle(ctx context.Context, owner spool.Owner, settlements []spool.Settlement) ([]spool.Settled, error) {
	return asked(ctx, l, "settle", settlements[0].ID, func(s *memspool.Spool) ([]spool.Settled, error) {
		inner, ok := unwrapped(settlements, s)
		if !ok {
			return nil, errRefused
		}
		settled, err := s.Settle(context.Background(), owner, inner)
		for i := range settled {
			switch done := &settled[i]; {
			case done.Err == nil, errors.Is(done.Err, spool.ErrAltered):
				l.base.settled(l.seat, owner, &settlements[i], done)
			case errors.Is(done.Err, spool.ErrLeaseLost):
				l.base.lapsed(l.seat)
			}
		}
		return settled, err
	})
}

// unwrapped are settlements with the drafts that the spool knows; not ok: it knows one of
// them no more.
func unwrapped(settlements []spool.Settlement, s *memspool.Spool) (inner []spool.Settlement, ok bool) {
	for _, t := range settlements {
		reports := t.Reports
		t.Reports = nil
		for _, r := range reports {
			d := r.Draft.(*draft)
			if d.of != s {
				return nil, false
			}
			r.Draft = d.Draft
			t.Reports = append(t.Reports, r)
		}
		inner = append(inner, t)
	}
	return inner, true
}
