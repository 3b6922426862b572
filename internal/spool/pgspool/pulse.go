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
	ctx, cancel := context.WithTimeout(s.ctx, min(s.opts.Timeout, 5*time.Second))
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

// checkStandby reports whether a commit would find a synchronous standby.
func (s *Spool) checkStandby(ctx context.Context) error {
	if s.opts.Durability == Primary {
		return nil
	}
	var named, there bool
	err := s.pool.QueryRow(ctx, `
		SELECT current_setting('synchronous_standby_names') <> '',
			EXISTS (SELECT FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming')`).Scan(&named, &there)
	if err != nil {
		return told(err)
	}
	if !named || !there {
		return errStandby
	}
	return nil
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
