package pebblespool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// Settle implements [spool.Engine].
func (s *Spool) Settle(ctx context.Context, owner spool.Owner, settlements []spool.Settlement) ([]spool.Settled, error) {
	durable := false
	for i := range settlements {
		if err := settlements[i].Check(); err != nil {
			return nil, err
		}
		durable = durable || settlements[i].Durable()
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	sb := &settling{s: s, owner: owner, all: settlements, settled: make([]spool.Settled, len(settlements))}
	if err := sb.sealReports(); err != nil {
		return nil, err
	}
	if err := sb.run(); err != nil {
		return nil, err
	}
	if durable && !sabotage.Is("a bounce is lazy") {
		if err := s.sync(); err != nil {
			return nil, err
		}
	} else {
		s.soon()
	}
	sb.show()
	return sb.settled, nil
}

// settling is one call of Settle.
type settling struct {
	s       *Spool
	t       *tx
	owner   spool.Owner
	all     []spool.Settlement
	settled []spool.Settled
	reports []report
}

// report is one that is in the batch.
type report struct {
	of, n int // settled[of].Reports[n]
	arrived
	owner spool.Owner
	waits bool
}

// sealReports makes the files of large reports durable, before the index is held.
func (sb *settling) sealReports() error {
	for i := range sb.all {
		for n := range sb.all[i].Reports {
			d, ours := sb.all[i].Reports[n].Draft.(*draft)
			if !ours || d.s != sb.s || d.ended {
				return fmt.Errorf("settle %s: report %d is no open draft of this spool: %w", sb.all[i].ID, n, spool.ErrClosed)
			}
			if err := d.seal(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (sb *settling) run() error {
	s := sb.s
	s.index <- struct{}{}
	defer func() { <-s.index }()
	sb.t = s.newTx()
	defer sb.t.close()
	for i := range sb.all {
		if err := sb.one(i); err != nil {
			return err
		}
	}
	return sb.t.apply()
}

func (sb *settling) one(i int) error {
	one := &sb.all[i]
	sb.s.mu.Lock()
	j := sb.s.book.Judge(sb.owner, one, time.Now())
	sb.s.mu.Unlock()
	sb.settled[i] = spool.Settled{Err: j.Err, Altered: j.Altered, Aside: j.Aside, Reports: make([]spool.Reported, len(one.Reports))}
	if j.Reports == nil {
		return nil // nothing may be recorded
	}
	for n := range one.Results {
		sb.ended(spool.Ref{ID: one.ID, Recipient: one.Results[n].Recipient})
	}
	for n := range j.Results {
		if err := sb.result(one.ID, &j.Results[n]); err != nil {
			return err
		}
	}
	sb.t.tell(one.ID, one.Facts)
	for n, yes := range j.Reports {
		if yes {
			if err := sb.report(i, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended forgets a lease in the due index, unless it goes on.
func (sb *settling) ended(ref spool.Ref) {
	sb.s.mu.Lock()
	goesOn := sb.s.book.Owner(ref) != (spool.Owner{})
	sb.s.mu.Unlock()
	if !goesOn {
		sb.t.dropMoved(ref)
	}
}

func (sb *settling) result(id mail.ID, r *spool.Standing) error {
	ref := spool.Ref{ID: id, Recipient: r.Recipient}
	old, err := sb.t.old(ref)
	if err == nil {
		now := &standing{Standing: *r}
		now.Held = false
		err = sb.t.move(ref, old, now)
	}
	if errors.Is(err, spool.ErrNotFound) || errors.Is(err, spool.ErrDamaged) {
		return nil // in quarantine meanwhile; the facts are recorded
	}
	return err
}

func (sb *settling) report(i, n int) error {
	rep := &sb.all[i].Reports[n]
	d, ours := rep.Draft.(*draft)
	if !ours || d.ended {
		return nil // told before in this call
	}
	waits := rep.Commit.Envelope.HoldUntil.After(time.Now())
	a, err := sb.t.arrive(d, &rep.Commit, waits)
	d.end()
	sb.reports = append(sb.reports, report{i, n, a, rep.Commit.For, waits})
	return err
}

// show makes the reports visible once they are durable.
func (sb *settling) show() {
	for _, r := range sb.reports {
		sb.settled[r.of].Reports[r.n] = spool.Reported{Committed: true, Lease: sb.s.show(r.arrived, r.owner, r.waits)}
	}
}
