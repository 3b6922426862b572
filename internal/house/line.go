package house

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
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

// Begin implements [spool.Engine]. A draft is the node's own until it is committed.
func (l *line) Begin(ctx context.Context, size int64) (spool.Draft, error) {
	l.base.mu.Lock()
	defer l.base.mu.Unlock()
	if l.over() {
		return nil, spool.ErrClosed
	}
	if time.Now().Before(l.base.down) || !l.seat.reaches() {
		return nil, errRefused
	}
	d, err := l.base.spool.Begin(ctx, size)
	if err != nil {
		return nil, err
	}
	return &draft{d, l, l.base.spool}, nil
}

// draft is one of a line, and of the spool that was the base's when it began.
type draft struct {
	spool.Draft
	line *line
	of   *memspool.Spool
}

// Memory implements [spool.InMemory].
func (d *draft) Memory() ([]byte, bool) { return d.Draft.(spool.InMemory).Memory() }

// Write implements [spool.Draft].
func (d *draft) Write(p []byte) (int, error) {
	n, err := d.Draft.Write(p)
	if errors.Is(err, spool.ErrClosed) && !d.line.over() {
		err = errRefused // another primary has taken the place of the one before
	}
	return n, err
}

// Commit implements [spool.Draft].
func (d *draft) Commit(ctx context.Context, c spool.Commit) (*spool.Lease, error) {
	defer d.Abort()
	return asked(ctx, d.line, "commit", d.ID(), func(s *memspool.Spool) (*spool.Lease, error) {
		if s != d.of {
			return nil, errRefused
		}
		lease, err := d.Draft.Commit(context.Background(), c)
		if err == nil {
			d.line.base.hear(d.ID(), c.Facts)
			d.line.base.leased(d.line.seat, c.For, lease)
			if lease == nil {
				d.line.base.wake(d.line.seat)
			}
		}
		return lease, err
	})
}

// Open implements [spool.Engine].
func (l *line) Open(ctx context.Context, id mail.ID) (mail.Content, error) {
	return asked(ctx, l, "open", id, func(s *memspool.Spool) (mail.Content, error) {
		c, err := s.Open(context.Background(), id)
		if err != nil {
			return nil, err
		}
		return &content{l, id, c.Size()}, nil
	})
}

// content is that of a message, whatever primary there is.
type content struct {
	line *line
	id   mail.ID
	size int64
}

// Size implements [mail.Content].
func (c *content) Size() int64 { return c.size }

// Open implements [mail.Content].
func (c *content) Open() (io.ReadCloser, error) {
	text, err := c.line.base.now().Open(context.Background(), c.id)
	if err != nil {
		return nil, err
	}
	return text.Open()
}

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

// List implements [spool.Engine].
func (l *line) List(ctx context.Context, q spool.Query) (spool.Page, error) {
	return asked(ctx, l, "list", q.After, func(s *memspool.Spool) (spool.Page, error) { return s.List(context.Background(), q) })
}

// Alter implements [spool.Engine].
func (l *line) Alter(ctx context.Context, q spool.Query, order spool.Order, fact func(spool.Item) []byte) (spool.Page, error) {
	return asked(ctx, l, "alter", q.After, func(s *memspool.Spool) (spool.Page, error) {
		var facts []spool.Fact
		page, err := s.Alter(context.Background(), q, order, func(it spool.Item) []byte {
			data := fact(it)
			facts = append(facts, spool.Fact{ID: it.Envelope.ID, At: order.At, Data: data})
			return data
		})
		for i := range facts {
			l.base.hear(facts[i].ID, facts[i:i+1])
		}
		l.base.wake(nil)
		return page, err
	})
}

// Stats implements [spool.Engine].
func (l *line) Stats(ctx context.Context) (spool.Stats, error) {
	return asked(ctx, l, "stats", 0, func(s *memspool.Spool) (spool.Stats, error) { return s.Stats(context.Background()) })
}

// Destinations implements [spool.Engine].
func (l *line) Destinations(ctx context.Context, after string, limit int) ([]spool.Destination, error) {
	return asked(ctx, l, "destinations", after, func(s *memspool.Spool) ([]spool.Destination, error) {
		return s.Destinations(context.Background(), after, limit)
	})
}

// Damaged implements [spool.Engine].
func (l *line) Damaged(ctx context.Context, after mail.ID, limit int) ([]spool.Damage, error) {
	return asked(ctx, l, "damaged", after, func(s *memspool.Spool) ([]spool.Damage, error) {
		return s.Damaged(context.Background(), after, limit)
	})
}

// Note implements [spool.Engine].
func (l *line) Note(ctx context.Context, facts []spool.Fact) error {
	return l.call(ctx, "note", facts[0].ID, func(s *memspool.Spool) error {
		err := s.Note(context.Background(), facts)
		for i := range facts {
			if err == nil {
				l.base.hear(facts[i].ID, facts[i:i+1])
			}
		}
		return err
	})
}

// Facts implements [spool.Engine].
func (l *line) Facts(ctx context.Context, q spool.FactQuery) (spool.FactPage, error) {
	return asked(ctx, l, "facts", q, func(s *memspool.Spool) (spool.FactPage, error) { return s.Facts(context.Background(), q) })
}

// State implements [spool.Engine].
func (l *line) State(ctx context.Context, room, key string) (spool.State, error) {
	return asked(ctx, l, "state", room+key, func(s *memspool.Spool) (spool.State, error) { return s.State(context.Background(), room, key) })
}

// PutState implements [spool.Engine].
func (l *line) PutState(ctx context.Context, st spool.State, was uint64) (uint64, error) {
	return asked(ctx, l, "put state", st.Room+st.Key, func(s *memspool.Spool) (uint64, error) {
		return s.PutState(context.Background(), st, was)
	})
}

// States implements [spool.Engine].
func (l *line) States(ctx context.Context, room, after string, limit int) ([]spool.State, error) {
	return asked(ctx, l, "states", room+after, func(s *memspool.Spool) ([]spool.State, error) {
		return s.States(context.Background(), room, after, limit)
	})
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

// Close implements [spool.Engine].
func (l *line) Close() error {
	l.hangUp()
	return nil
}
