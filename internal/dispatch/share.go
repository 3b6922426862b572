package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/spool"
)

// sharing is how limits are kept together with other nodes, by a spool that divides them.
type sharing struct {
	sharer spool.Sharer // nil: nobody else is there, and nothing is asked
	asking bool
	askAt  time.Time // not before, since the last asks came to nobody
}

// shareWith tells whether the settings are to be kept to with others.
func (s *sharing) shareWith(o queue.Options) queue.Options {
	o.Shared = s.sharer != nil
	return o
}

// share asks for shares when there is something to ask, one call at a time.
func (l *loop) share(now time.Time) {
	if l.sharer == nil || l.asking || l.has == (spool.Owner{}) || now.Before(l.askAt) {
		return
	}
	asks := l.sched.Asks(now)
	if len(asks) == 0 {
		return
	}
	l.asking = true
	owner := l.has
	l.aside(func() func(*loop) {
		grants, err := l.sharer.Share(context.Background(), owner, asksOf(asks))
		return func(l *loop) { l.shared(owner, now, asks, grants, err) }
	})
}

// nextAsk is when share has something to do; zero: not before something happens.
func (l *loop) nextAsk() time.Time {
	at := l.sched.WakeAsks()
	if l.sharer == nil || l.asking || l.has == (spool.Owner{}) || at.IsZero() {
		return time.Time{}
	}
	return maxTime(at, l.askAt)
}

// shared takes what came of asks that were sent at some instant.
func (l *loop) shared(owner spool.Owner, sent time.Time, asks []queue.Ask, grants []spool.Grant, err error) {
	l.asking = false
	now := time.Now()
	switch {
	case owner != l.has: // all shares of that epoch are forgotten already
	case err == nil:
		l.sched.Grant(now, sent, asks, grantsOf(grants))
	case fatal(err):
		l.fail(err)
	case errors.Is(err, spool.ErrLeaseLost):
		l.lose(err)
	default:
		l.opts.Log.Warn("the spool does not divide limits now", "error", err)
		l.askAt = now.Add(again)
		l.sched.Ungranted(now, asks)
	}
}

func asksOf(asks []queue.Ask) []spool.Ask {
	all := make([]spool.Ask, len(asks))
	for i := range asks {
		a := &asks[i]
		all[i] = spool.Ask{Name: a.Name, Limit: a.Limit, Busy: a.Busy, Want: a.Want, Space: a.Space, Turns: a.Turns}
	}
	return all
}

func grantsOf(grants []spool.Grant) []queue.Grant {
	all := make([]queue.Grant, len(grants))
	for i := range grants {
		all[i] = queue.Grant(grants[i])
	}
	return all
}
