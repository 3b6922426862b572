package pgspool

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// MayLose are options for a database that does not sync.
func MayLose(o Options) Options { o.mayLose = true; return o }

// Pool asks the database of a spool.
func (s *Spool) Pool() *pgxpool.Pool { return s.pool }

// Abandon ends a spool as a crash does: nothing is given back, and nobody waits.
func (s *Spool) Abandon() {
	s.closed.Store(true)
	s.halt()
	s.workers.Wait()
	s.cancel()
	s.pool.Close()
}

// Feel has the watch look now.
func (s *Spool) Feel() { s.feel() }

// Tidy keeps house once, as in the round of that number.
func (s *Spool) Tidy(round int) error { return s.tidy(round) }

// DropSlices drops the tables of contents before the one of the hour so many from now.
func (s *Spool) DropSlices(ctx context.Context, before int32) error { return s.dropSlices(ctx, before) }

// SliceAt and Table name tables of contents.
var (
	SliceAt = sliceAt
	Table   = table
)

// TellSkew compares our clock with one that is behind it.
func (s *Spool) TellSkew(ahead time.Duration) {
	began := time.Now()
	s.tellSkew(began.Add(-ahead), began)
}
