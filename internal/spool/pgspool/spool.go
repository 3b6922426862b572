package pgspool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Spool is an engine on PostgreSQL. Make one with Open.
type Spool struct {
	opts Options
	pool *pgxpool.Pool
	life int64 // of this engine

	calls   sync.RWMutex // read-held by each call, so that Close waits for them; see enter
	closed  atomic.Bool
	ctx     context.Context // ends when nothing is asked of the database any more
	cancel  context.CancelFunc
	working context.Context // ends with Close
	halt    context.CancelFunc
	workers sync.WaitGroup
	clerks  sync.WaitGroup // those of arrivals, which end last

	arrivals chan *arrival
	drafts   drafts
	slices   sliceSet
	pulse    pulse
	wakers   wakers
	doubt    atomic.Pointer[doubt]

	mu     sync.Mutex // guards what follows; held only while computing
	owners map[spool.Owner]bool
	mark   spool.Ref // where the search for first flights goes on
}

// doubt is what an unclean stop left: see [Spool.suspects].
type doubt struct{ life, until int64 }

var _ interface {
	spool.Engine
	spool.Waker
	spool.Cluster
	spool.Sharer
	spool.Counter
	spool.Importer
} = (*Spool)(nil)

// enter begins a call; leave ends it.
func (s *Spool) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.calls.RLock()
	if s.closed.Load() {
		s.calls.RUnlock()
		return spool.ErrClosed
	}
	return nil
}

func (s *Spool) leave() { s.calls.RUnlock() }

// limit bounds a call of the database in time. Once it is handed over, its
// caller's context does not end it: nobody would know what came of it.
func (s *Spool) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), s.opts.Timeout)
}

// read runs f in a transaction that only reads, and sees one instant.
func (s *Spool) read(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error { return f(ctx, tx) })
}

// write runs f in a transaction, and again if it was ended for the sake of others.
// An error of its end means doubt.
func (s *Spool) write(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	for {
		err := s.writeOnce(ctx, f)
		if !again(err) || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Spool) writeOnce(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return told(err)
	}
	defer conn.Release()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return toldUnless(err)
	}
	if err = f(ctx, tx); err != nil {
		if tx.Rollback(ctx) != nil || code(err) != "" { // a lock of its session may be left
			_ = conn.Conn().Close(ctx)
		}
		return toldUnless(err)
	}
	err = tx.Commit(ctx)
	if err == nil && conn.Conn().PgConn().CustomData()[weak] != nil {
		err = fmt.Errorf("%w", errWeak)
	}
	if err == nil {
		return nil
	}
	_ = conn.Conn().Close(context.WithoutCancel(ctx))
	if again(err) {
		return err
	}
	return inDoubt(err)
}

// toldUnless keeps an error that another try may mend.
func toldUnless(err error) error {
	if again(err) {
		return err
	}
	return told(err)
}

// Close implements [spool.Engine]. What its owners have on lease is free for others
// at once, and nobody is suspect for it.
func (s *Spool) Close() error {
	s.calls.Lock()
	if s.closed.Swap(true) {
		s.calls.Unlock()
		return spool.ErrClosed
	}
	s.calls.Unlock()
	s.halt()
	s.workers.Wait()
	close(s.arrivals)
	s.clerks.Wait()
	err := s.giveBack()
	s.cancel()
	s.pool.Close()
	return err
}

// giveBack ends the epochs of the engine's owners.
func (s *Spool) giveBack() error {
	var errs []error
	for owner := range s.owners {
		errs = append(errs, s.write(s.ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := endEpoch(ctx, tx, owner, false)
			return err
		}))
	}
	return errors.Join(errs...)
}

func ids(list []mail.ID) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = list[i][:]
	}
	return out
}

func now() int64 { return time.Now().UnixNano() }
