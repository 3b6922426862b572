package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// tenure is our epoch as an owner of leases.
type tenure struct {
	has     spool.Owner // zero: none
	until   time.Time   // our leases are good until then at least
	beatAt  time.Time   // when to beat next
	beating bool
	joinAt  time.Time // when to join, without an epoch
}

// term is a tenure for those who work beside the loop.
type term struct {
	owner spool.Owner
	until time.Time
}

// tellTerm lets deliveries know how long our leases are good.
func (l *loop) tellTerm() { l.term.Store(&term{l.has, l.until}) }

// holds reports whether the leases of an owner are good still.
func (t *term) holds(owner spool.Owner) bool {
	return t != nil && t.owner == owner && time.Now().Before(t.until) || sabotage.Is("deliveries begin though the lease is over")
}

// keepTenure beats when it is time.
func (l *loop) keepTenure(now time.Time) {
	if l.has == (spool.Owner{}) || l.beating || now.Before(l.beatAt) || sabotage.Is("leases are not renewed") {
		return
	}
	l.beating = true
	owner := l.has
	l.aside(func() func(*loop) {
		err := l.opts.Spool.Beat(context.Background(), owner)
		return func(l *loop) { l.beat(owner, now, err) }
	})
}

// nextBeat is when keepTenure has something to do; zero: not before something happens.
func (l *loop) nextBeat() time.Time {
	if l.has == (spool.Owner{}) || l.beating || sabotage.Is("leases are not renewed") {
		return time.Time{}
	}
	return l.beatAt
}

// beat takes the answer to a beat that was sent at some instant.
func (l *loop) beat(owner spool.Owner, sent time.Time, err error) {
	l.beating = false
	switch {
	case owner != l.has:
	case err == nil:
		l.until, l.beatAt = sent.Add(l.opts.TTL), sent.Add(l.opts.TTL/3)
		l.tellTerm()
	case fatal(err):
		l.fail(err)
	case errors.Is(err, spool.ErrLeaseLost):
		l.lose(err)
	default:
		l.opts.Log.Warn("no beat", "error", err)
		l.beatAt = time.Now().Add(min(again, l.opts.TTL/3))
	}
}

// join begins an epoch. It is a call of the clerk.
func (l *loop) join() {
	now := time.Now()
	l.aside(func() func(*loop) {
		owner, err := l.opts.Spool.Join(context.Background(), l.opts.Name, l.opts.TTL)
		return func(l *loop) {
			l.clerk = false
			switch {
			case err == nil:
				l.has, l.until, l.beatAt, l.look = owner, now.Add(l.opts.TTL), now.Add(l.opts.TTL/3), now
				l.tellOwner()
				l.tellTerm()
			case fatal(err):
				l.fail(err)
			default:
				l.opts.Log.Warn("cannot join the spool", "error", err)
				l.joinAt = time.Now().Add(again)
			}
		}
	})
}

// tellOwner lets arrivals be leased for us, if they are to be sent.
func (l *loop) tellOwner() {
	if owner := l.has; owner != (spool.Owner{}) && !l.holds() {
		l.owner.Store(&owner)
	} else {
		l.owner.Store(nil)
	}
}

// lose forgets all that is held, because our epoch is over or nobody knows what
// was recorded. What is in flight goes on; what was about to be recorded is lost.
func (l *loop) lose(err error) {
	l.opts.Log.Warn("leases are lost; joining anew", "error", err)
	l.has, l.joinAt = spool.Owner{}, time.Now()
	l.sched.Unshare(l.joinAt)
	l.tellOwner()
	l.tellTerm()
	l.back, l.callAt = nil, time.Time{}
	batch, stuck := l.batch, l.stuck
	l.batch, l.stuck = nil, nil
	for _, r := range append(batch, stuck...) {
		l.settle(r) // which cannot be any more
	}
	for _, lt := range l.lettersByID() {
		l.abandon(lt)
	}
}

// abandon forgets the recipients of a letter but for those of whom something
// will yet come back.
func (l *loop) abandon(lt *letter) {
	var queued []int
	for i := range lt.to {
		switch p := &lt.to[i]; p.phase {
		case inSchedule:
			queued = append(queued, p.index)
			p.phase = gone
		case planning:
			p.phase = gone
		case flying:
			p.lost = true
		}
	}
	l.unschedule(lt, queued)
	l.prune(lt)
}
