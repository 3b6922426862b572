package house

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// line is what a life of a node knows of a [Base]: an engine whose calls take their time,
// are refused, or are cut off so that nobody knows whether they were done.
type line struct {
	seat *seat
	base *Base
	life int
	once sync.Once
	gone chan struct{} // closed when the node has died

	wakers []chan struct{} // guarded by base.mu
}

var (
	_ spool.Engine  = (*line)(nil)
	_ spool.Waker   = (*line)(nil)
	_ spool.Cluster = (*line)(nil)
)

var (
	errRefused = errors.New("the base does not answer")
	errCut     = fmt.Errorf("the line to the base was cut: %w", spool.ErrInDoubt)
)

func (l *line) hangUp() { l.once.Do(func() { close(l.gone) }) }

func (l *line) over() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// luck is what a call meets.
type luck struct {
	out, back time.Duration
	refused   bool // it is not done, and that is known
	lost      bool // it is not done, and nobody knows
	unheard   bool // it is done, and nobody knows
}

// luckOf draws what a call meets: one in 64 is slow, and one in a hundred fails.
func (l *line) luckOf(what string, about any) luck {
	n := l.draw(what, about)
	take := func(of uint64) uint64 { r := n % of; n /= of; return r }
	k := luck{
		out:  100*time.Microsecond + time.Duration(take(1_000_003)),
		back: 100*time.Microsecond + time.Duration(take(700_001)),
	}
	if !l.base.storm.Load() {
		return k
	}
	if take(64) == 0 {
		k.back += time.Duration(take(997)) * time.Millisecond
	}
	switch take(300) {
	case 0:
		k.refused = true
	case 1:
		k.lost = true
	case 2:
		k.unheard = true
	}
	return k
}

// call has something done by the base. about tells calls of one instant apart.
func (l *line) call(ctx context.Context, what string, about any, do func(*memspool.Spool) error) error {
	k := l.luckOf(what, about)
	if err := l.wait(ctx, k.out); err != nil {
		return err
	}
	if k.refused || k.lost || !l.seat.reaches() {
		l.seat.strike()
		if k.lost {
			return errCut
		}
		return errRefused
	}
	err, dead := l.do(what, do)
	if dead || l.wait(context.WithoutCancel(ctx), k.back) != nil {
		return spool.ErrClosed // nobody hears it
	}
	if k.unheard || !l.seat.reaches() {
		l.seat.strike()
		return errCut
	}
	return err
}

// do has the base do something, if it is there.
func (l *line) do(what string, do func(*memspool.Spool) error) (err error, dead bool) {
	l.base.mu.Lock()
	defer l.base.mu.Unlock()
	if l.over() {
		return spool.ErrClosed, true
	}
	if time.Now().Before(l.base.down) {
		l.seat.struck = time.Now()
		return errRefused, false
	}
	if dead = l.base.dies(what); dead {
		defer l.base.told()
		defer l.hangUp()
		if !l.base.done {
			return spool.ErrClosed, true
		}
	}
	return do(l.base.spool), dead
}

// wait is the way to the base, or back. The node may die meanwhile, or sleep.
func (l *line) wait(ctx context.Context, long time.Duration) error {
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.gone:
		return spool.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	l.seat.awake(ctx)
	if l.over() {
		return spool.ErrClosed
	}
	return nil
}

// asked is a call that has an answer.
func asked[T any](ctx context.Context, l *line, what string, about any, do func(*memspool.Spool) (T, error)) (T, error) {
	var answer, none T
	err := l.call(ctx, what, about, func(s *memspool.Spool) (err error) {
		answer, err = do(s)
		return err
	})
	if errors.Is(err, errRefused) || errors.Is(err, errCut) || errors.Is(err, spool.ErrClosed) {
		return none, err
	}
	return answer, err
}

// Wake implements [spool.Waker].
func (l *line) Wake(string) <-chan struct{} {
	l.base.mu.Lock()
	defer l.base.mu.Unlock()
	to := make(chan struct{}, 1)
	l.wakers = append(l.wakers, to)
	return to
}

// wake tells all but one seat that something may be there; now and then nobody hears it.
// b.mu is held.
func (b *Base) wake(by *seat) {
	for _, s := range b.seats {
		l := s.line
		if s == by || l == nil || b.storm.Load() && l.draw("wake", 0)%8 == 0 {
			continue
		}
		for _, to := range l.wakers {
			select {
			case to <- struct{}{}:
			default: // it has not looked since the last time
			}
		}
	}
}

// Nodes implements [spool.Cluster].
func (l *line) Nodes(ctx context.Context) ([]spool.Node, error) {
	return asked(ctx, l, "nodes", 0, func(s *memspool.Spool) ([]spool.Node, error) { return s.Nodes(context.Background()) })
}

// Drain implements [spool.Cluster].
func (l *line) Drain(ctx context.Context, name string, on bool) error {
	return l.call(ctx, "drain", name, func(s *memspool.Spool) error {
		l.base.wake(nil)
		return s.Drain(context.Background(), l.seat.node, on)
	})
}

// Draining implements [spool.Cluster].
func (l *line) Draining(ctx context.Context, name string) (bool, error) {
	return asked(ctx, l, "draining", name, func(s *memspool.Spool) (bool, error) {
		return s.Draining(context.Background(), l.seat.node)
	})
}

// Share implements [spool.Sharer].
func (l *line) Share(ctx context.Context, owner spool.Owner, asks []spool.Ask) ([]spool.Grant, error) {
	return asked(ctx, l, "share", asks[0].Name, func(s *memspool.Spool) ([]spool.Grant, error) {
		grants, err := s.Share(context.Background(), owner, asks)
		return grants, l.tenant(err, func() {})
	})
}

// Count implements [spool.Counter].
func (l *line) Count(ctx context.Context, room string, counted []spool.Counted, since time.Time) (counts []spool.Count, mark time.Time, err error) {
	err = l.call(ctx, "count", room, func(s *memspool.Spool) (err error) {
		counts, mark, err = s.Count(context.Background(), room, counted, since)
		return err
	})
	return counts, mark, err
}

// Close implements [spool.Engine].
func (l *line) Close() error {
	l.hangUp()
	return nil
}
