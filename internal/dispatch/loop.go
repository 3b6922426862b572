package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/spool"
)

// loop is the state of a running desk, and belongs to its goroutine.
type loop struct {
	*Desk
	Settings
	ctx       context.Context // of what runs beside
	interrupt context.CancelFunc
	beside    workers
	busy      int // what runs beside and will come back, deliveries included

	sched   *queue.Schedule
	letters map[mail.ID]*letter
	kept    int64 // octets of texts in letters
	plans   map[planKey]*plan
	// planners are running, and these wait for their turn.
	planners int
	unasked  []planKey

	tenure                       // tenure.go
	sharing                      // share.go
	batch     []*record          // to be settled
	stuck     []*record          // whose report could not be written; tried again at record.again
	back      []spool.Ref        // leases to be given back
	notes     []spool.Fact       // for the journal
	clerk     bool               // a call to the spool is under way
	callAt    time.Time          // no call before, since the last one did not succeed
	restsTill time.Time          // no call before, unless there is much to settle
	look      time.Time          // when to look for what is due; zero: not before something happens
	doubted   map[spool.Ref]bool // recipients who may have got the mail, though that is not recorded

	closing  bool
	draining bool      // nothing is leased, as if the settings said Hold
	looked   time.Time // when the spool was last asked for what is due
	failed   error
	timer    *time.Timer
}

const (
	// poll is how often the spool is asked for what is due, if nothing else
	// happens: another node may have left something.
	poll = 30 * time.Second
	// again is how soon something is tried again that did not succeed here.
	again = time.Second
	// atOnce is how many messages of the inbox are dealt with before what they
	// led to is set going.
	atOnce = 256
)

func newLoop(ctx context.Context, d *Desk) *loop {
	l := &loop{
		Desk: d, Settings: d.opts.Settings, beside: workers{tasks: make(chan func())},
		letters: map[mail.ID]*letter{}, plans: map[planKey]*plan{},
		doubted: map[spool.Ref]bool{}, timer: time.NewTimer(time.Hour),
	}
	l.sharer, _ = d.opts.Spool.(spool.Sharer)
	l.sched = queue.New(l.shareWith(l.Queue))
	l.ctx, l.interrupt = context.WithCancel(ctx)
	return l
}

func (l *loop) run() error {
	defer l.interrupt()
	defer l.timer.Stop()
	stop := context.AfterFunc(l.ctx, func() { _ = l.tell(context.Background(), func(l *loop) { l.closing = true }) })
	defer stop()
	for !l.over() {
		l.advance(time.Now())
		if !l.over() {
			l.wait()
		}
	}
	l.owner.Store(nil)
	l.interrupt()
	l.beside.close()
	return l.failed
}

// over: nothing runs beside, and there is nothing left to do, or to be done.
func (l *loop) over() bool {
	if l.busy > 0 {
		return false
	}
	if l.failed != nil {
		return true
	}
	nothing := len(l.letters)+len(l.batch)+len(l.back)+len(l.notes)+len(l.stuck) == 0
	hopeless := l.has == (spool.Owner{}) || l.ctx.Err() != nil && time.Now().Before(l.callAt)
	return l.closing && (nothing || hopeless)
}

// wait takes what comes into the inbox next, and whatever else is there.
func (l *loop) wait() {
	select {
	case m := <-l.inbox:
		m(l)
	default:
		l.timer.Reset(max(time.Until(l.wake()), 0))
		select {
		case m := <-l.inbox:
			m(l)
		case <-l.timer.C:
		}
	}
	for range atOnce {
		select {
		case m := <-l.inbox:
			m(l)
		default:
			return
		}
	}
}

// advance sets going whatever can go now.
func (l *loop) advance(now time.Time) {
	if l.failed != nil {
		return
	}
	l.keepTenure(now)
	if l.starts(now) {
		starts, decisions := l.sched.Next(now)
		for i := range decisions {
			l.record(decisions[i], now, false)
		}
		for i := range starts {
			l.start(&starts[i], now)
		}
	}
	l.share(now)
	l.unstick(now)
	if l.closing || l.holds() {
		l.giveUp()
	}
	l.call(now)
}

// starts: we may begin deliveries. Not after the time for which our leases are
// good for certain.
func (l *loop) starts(now time.Time) bool {
	return !l.closing && !l.holds() && l.has != (spool.Owner{}) && now.Before(l.until)
}

// wake is when there is something to do though nothing comes in.
func (l *loop) wake() time.Time {
	now := time.Now()
	at := now.Add(time.Hour)
	if l.failed != nil {
		return at
	}
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	sooner(l.nextBeat())
	sooner(l.nextAsk())
	for _, r := range l.stuck {
		sooner(r.again)
	}
	if l.starts(now) {
		sooner(l.sched.Wake())
	}
	if !l.clerk {
		sooner(l.callNext(now))
	}
	return at
}

// callNext is when the clerk is to be sent next; zero: not before something happens.
func (l *loop) callNext(now time.Time) time.Time {
	at := time.Time{}
	switch {
	case l.has == (spool.Owner{}):
		if !l.closing {
			at = l.joinAt
		}
	case len(l.batch)+len(l.back)+len(l.notes) > 0:
		at = now
	case l.starts(now):
		at = l.look
	}
	if at.IsZero() {
		return at
	}
	if l.rests(now) {
		at = maxTime(at, l.restsTill)
	}
	return maxTime(at, l.callAt)
}

// lookAt sees to it that the spool is asked for what is due at some instant.
func (l *loop) lookAt(t time.Time) {
	if l.look.IsZero() || t.Before(l.look) {
		l.look = t
	}
}

// fail notes that the spool has failed: nothing can be recorded any more, so
// nothing is begun, and what is not behind its final dot is interrupted.
func (l *loop) fail(err error) {
	if l.failed != nil {
		return
	}
	l.failed = err
	l.opts.Log.Error("the spool has failed; nothing is sent any more", "error", err)
	l.opts.Failed(err)
	l.interrupt()
}

// fatal reports whether the spool can not be used any more.
func fatal(err error) bool { return errors.Is(err, spool.ErrFailed) || errors.Is(err, spool.ErrClosed) }

func (l *loop) reload(s Settings) {
	l.Settings = s
	l.tellOwner()
	l.lookAt(time.Now())
	l.sched.Reload(time.Now(), l.shareWith(s.Queue))
	for key, p := range l.plans {
		if !p.asking {
			delete(l.plans, key)
		}
	}
}
