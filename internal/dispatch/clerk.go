package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// Bounds of one call.
const (
	maxBatch = 1000 // settlements
	maxTaken = 1000 // recipients that are leased
)

// After settlements the clerk rests: a call costs little more for twenty of them
// than for one, and nobody waits for a delivery to be recorded. It is a small
// part of spool.Lag, in which that is durable.
const (
	rest     = 5 * time.Millisecond
	fullCall = 100 // settlements that are worth a call at once
)

// idleFor is how many times as long as a search in vain took the next one waits: so
// mail that cannot be tried now costs little.
const idleFor = 50

// errand is what the clerk does in one go, in the order of its fields.
type errand struct {
	owner  spool.Owner
	batch  []*record
	back   []spool.Ref
	notes  []spool.Fact
	lease  bool
	wanted queue.Want
	want   spool.Want
}

// result is what the clerk brings back.
type result struct {
	errand
	settled []spool.Settled
	taken   spool.Taken
	took    time.Duration // to find it
	err     error         // of settling: nobody knows what was recorded
	// What was not done of the rest is in the errand still.
	other error
	// unknown: something may have been leased, and nobody knows what.
	unknown bool
}

// call sends the clerk to the spool, if there is something to do and he is here.
func (l *loop) call(now time.Time) {
	if l.clerk || now.Before(l.callAt) {
		return
	}
	if l.has == (spool.Owner{}) {
		if !l.closing && !now.Before(l.joinAt) {
			l.clerk = true
			l.join()
		}
		return
	}
	if l.rests(now) {
		return
	}
	e := l.errand(now)
	if len(e.batch)+len(e.back)+len(e.notes) == 0 && !e.lease {
		return
	}
	l.clerk = true
	l.aside(func() func(*loop) {
		r := e.run(l.opts.Spool)
		return func(l *loop) { l.returned(&r, time.Now()) }
	})
}

// rests: the clerk gathers what comes.
func (l *loop) rests(now time.Time) bool {
	return now.Before(l.restsTill) && len(l.batch) < fullCall && !l.closing
}

// errand takes from the loop what is to be done.
func (l *loop) errand(now time.Time) errand {
	n := min(len(l.batch), maxBatch)
	e := errand{owner: l.has, batch: l.batch[:n:n], back: l.back, notes: l.notes}
	if l.batch = l.batch[n:]; len(l.batch) == 0 {
		l.batch = nil
	}
	l.back, l.notes = nil, nil
	if l.starts(now) && !l.look.IsZero() && !now.Before(l.look) {
		l.wanting(&e, now)
	}
	return e
}

// wanting has the clerk look for mail that is due, as much as there is room for.
func (l *loop) wanting(e *errand, now time.Time) {
	e.wanted = l.sched.Want(now)
	l.look, l.looked = now.Add(again), now
	if e.wanted.Room == 0 {
		return
	}
	window := l.Queue.Window
	if window <= 0 {
		window = defaultWindow
	}
	e.lease = true
	e.want = spool.Want{Recipients: min(e.wanted.Room, maxTaken), PerDestination: max(1, window/10)}
	for _, h := range e.wanted.Skip {
		e.want.Skip = append(e.want.Skip, destination(h))
	}
	l.look = now.Add(poll)
}

// defaultWindow is that of queue.Options.
const defaultWindow = 50_000

// run does the errand. It runs beside the loop. The calls are not cut short: what
// they do takes no longer than the disk.
func (e errand) run(s Spool) result {
	r := result{errand: e}
	ctx := context.Background()
	if len(e.batch) > 0 {
		settlements := make([]spool.Settlement, len(e.batch))
		for i := range e.batch {
			settlements[i] = e.batch[i].Settlement
		}
		r.settled, r.err = s.Settle(ctx, e.owner, settlements)
		if errors.Is(r.err, spool.ErrInDoubt) && sabotage.Is("a result in doubt is taken for recorded") {
			r.settled, r.err = make([]spool.Settled, len(settlements)), nil
		}
		if r.err != nil {
			return r
		}
	}
	if len(e.back) > 0 {
		if r.other = s.Release(ctx, e.owner, e.back); r.other == nil {
			r.back = nil
		}
	}
	if len(e.notes) > 0 {
		err := s.Note(ctx, e.notes)
		if r.other = errors.Join(r.other, err); err == nil {
			r.notes = nil
		}
	}
	if e.lease {
		began := time.Now()
		taken, err := s.Lease(ctx, e.owner, e.want)
		r.taken, r.other, r.took = taken, errors.Join(r.other, err), time.Since(began)
		r.unknown = errors.Is(err, spool.ErrInDoubt)
	}
	return r
}

// returned takes what the clerk brings back.
func (l *loop) returned(r *result, now time.Time) {
	l.clerk = false
	if err := errors.Join(r.err, r.other); fatal(err) {
		l.fail(err)
	} else if err != nil {
		l.callAt = now.Add(again)
	}
	l.notes = append(r.notes, l.notes...)
	switch {
	case r.owner != l.has: // our epoch was over before he came back
		l.tooLate(r)
	case r.err != nil && !errors.Is(r.err, spool.ErrInDoubt) && now.Before(l.until):
		l.putBack(r, now) // nothing was done
	case r.err != nil:
		l.batch = append(r.batch, l.batch...)
		l.lose(r.err)
	default:
		if len(r.batch) > 0 {
			l.restsTill = now.Add(rest)
		}
		l.done(r, now)
	}
}

// putBack puts back what the clerk could not do, for when the spool answers. Until then our
// leases hold.
func (l *loop) putBack(r *result, now time.Time) {
	l.opts.Log.Warn("the spool does not settle now", "error", r.err)
	l.batch = append(r.batch, l.batch...)
	l.back = append(r.back, l.back...)
	if r.lease {
		l.lookAt(now)
	}
}

// tooLate takes what was done for an epoch that is over: it holds, but for the leases.
func (l *loop) tooLate(r *result) {
	for i, rec := range r.batch {
		if r.err == nil && !errors.Is(r.settled[i].Err, spool.ErrLeaseLost) {
			l.settled(rec, &r.settled[i], time.Now())
		} else {
			l.unrecorded(rec)
		}
	}
}

// done takes what was done.
func (l *loop) done(r *result, now time.Time) {
	lost := error(nil)
	for i, rec := range r.batch {
		switch err := r.settled[i].Err; {
		case errors.Is(err, spool.ErrLeaseLost):
			lost = err
			l.unrecorded(rec)
		case err != nil && !errors.Is(err, spool.ErrAltered):
			l.opts.Log.Warn("not recorded", "id", rec.ID, "error", err)
			l.leave(rec)
			rec.abort()
		default:
			l.settled(rec, &r.settled[i], now)
		}
	}
	l.back = append(r.back, l.back...)
	if r.other != nil {
		l.opts.Log.Warn("the spool has not done what it was asked", "error", r.other)
	}
	if errors.Is(r.other, spool.ErrLeaseLost) || r.unknown {
		lost = r.other
	}
	if r.lease {
		l.take(r, now)
	}
	if lost != nil {
		l.lose(lost)
	}
	if r.unknown {
		l.joinAt = now.Add(again) // what was in doubt once may be so again
	}
}

// take takes what was leased.
func (l *loop) take(r *result, now time.Time) {
	refused := 0
	for i := range r.taken.Leases {
		refused += l.load(&r.taken.Leases[i], nil, now)
	}
	switch {
	case refused > 0:
		l.lookAt(now.Add(again)) // there is no use in having the same again at once
	case r.taken.More && len(r.taken.Leases) == 0:
		l.lookAt(now.Add(idleFor * r.took)) // among much that is not wanted
	case r.taken.More:
		l.lookAt(now)
	default:
		l.sched.Exhausted(r.wanted)
	}
	if !r.taken.Next.IsZero() {
		l.lookAt(maxTime(r.taken.Next, now))
	}
}
