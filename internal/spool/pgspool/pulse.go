package pgspool

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// pulse is what the watch has felt last: why nothing can be taken in.
type pulse struct {
	trouble atomic.Pointer[error]
	kick    chan struct{} // somebody has seen trouble
}

// err is why nothing can be taken in now.
func (p *pulse) err() error {
	if e := p.trouble.Load(); e != nil {
		return *e
	}
	return nil
}

// look has the watch look at once, after a call that failed.
func (p *pulse) look() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// watch looks now and then whether the database can keep its promise.
func (s *Spool) watch() {
	tick := time.NewTicker(s.opts.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-s.working.Done():
			return
		case <-tick.C:
		case <-s.pulse.kick:
		}
		s.feel()
	}
}

// feel asks the database whether it can keep its promise, and tells what changes.
func (s *Spool) feel() {
	ctx, cancel := context.WithTimeout(s.ctx, min(s.opts.Timeout, 2*patience))
	defer cancel()
	err := errors.Join(s.checkStandby(ctx), s.checkRoom(ctx))
	if err == nil {
		if was := s.pulse.trouble.Swap(nil); was != nil {
			s.opts.Log.Info("the database takes mail again")
		}
		return
	}
	if was := s.pulse.trouble.Swap(&err); was == nil || (*was).Error() != err.Error() {
		s.opts.Log.Error("no mail is taken in", "because", err)
	}
}

// checkStandby reports whether a commit would find a synchronous standby that keeps up.
func (s *Spool) checkStandby(ctx context.Context) error {
	if s.opts.Durability == Primary {
		return nil
	}
	var named, there, late bool
	err := s.pool.QueryRow(ctx, `
		SELECT current_setting('synchronous_standby_names') <> '',
			EXISTS (SELECT FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'),
			EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query_start < clock_timestamp() - $1::interval)`, patience).Scan(&named, &there, &late)
	switch {
	case err != nil:
		return told(err)
	case !named, !there:
		return errStandby
	case late, errors.Is(s.pulse.err(), errSlow):
		return s.waitForStandby(ctx)
	}
	return nil
}

// patience is how long a commit may wait for the standby before others are not begun.
const patience = 5 * time.Second

// waitForStandby commits something of no weight, and reports whether the standby had it in time. It
// is asked only while commits wait long: a standby that stands still is connected for a minute more.
func (s *Spool) waitForStandby(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var b pgx.Batch
	b.Queue("INSERT INTO tally VALUES (0, 0, 0, 0, 0, 0, 0)")
	err := s.run(ctx, &b)
	if ctx.Err() != nil || errors.Is(err, errWeak) {
		return errSlow
	}
	return told(err)
}

// checkRoom writes something, as a commit would, and undoes it.
func (s *Spool) checkRoom(ctx context.Context) error {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{})
	if err != nil {
		return told(err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // which is what is wanted
	_, err = tx.Exec(ctx, "INSERT INTO probe VALUES ($1)", make([]byte, 1<<10))
	return told(err)
}
