package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// counts is what a room of the house counts of clients and accounts.
type counts interface {
	Tell() <-chan struct{}
	Unsaid() []spool.Counted
	Return(counted []spool.Counted)
	Hear(counts []spool.Count, now time.Time)
}

const (
	// hearCounts is how often is asked what other nodes have counted, if nothing is to be told to them.
	hearCounts = 5 * time.Second
	// keepCountsEvery is how often is kept what a house has counted that is alone.
	keepCountsEvery = 15 * time.Second
	// The nodes of a cluster hear of failed logins at once, so that who guesses at all of them has
	// hardly more guesses; and of who comes often when there is something to tell.
	gatherFailures = 20 * time.Millisecond
	gatherVisits   = time.Second
	countTime      = 10 * time.Second // that one call may take
)

// keepCounts keeps what is counted in step with the spool, until over is closed: so it outlives the process,
// and holds for all nodes together.
func (h *House) keepCounts(over <-chan struct{}) {
	logins := stepper{room: "counts-logins", counts: h.book, gather: gatherFailures, used: h.letsIn}
	visits := stepper{room: "counts-visits", counts: h.states.rates, gather: gatherVisits, used: h.judges}
	h.work.Go(func() { logins.keep(h, over) })
	h.work.Go(func() { visits.keep(h, over) })
}

// letsIn reports whether there is anybody who could log in.
func (h *House) letsIn() bool {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	return h.rooms.accounts != nil
}

// judges reports whether anything is asked of who brings mail.
func (h *House) judges() bool { return h.Config().Judges() }

// keep keeps counts in step with a room of the spool.
func (s *stepper) keep(h *House, over <-chan struct{}) {
	s.log = h.world.Log
	every, tell := hearCounts, s.counts.Tell()
	if shared, is := h.spool.(spool.Counter); is {
		s.counter, s.shared = shared, true
	} else {
		s.counter, every, tell = spool.KeptCounts{States: h.spool}, keepCountsEvery, nil // it waits until it is time
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.step()
		select {
		case <-over:
			s.step()
			return
		case <-tick.C:
		case <-tell:
			rest(s.pause(), over)
		}
	}
}

// rest waits, unless it is over.
func rest(long time.Duration, over <-chan struct{}) {
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-over:
	case <-t.C:
	}
}

// stepper tells what was counted, and hears what others have.
type stepper struct {
	room    string
	counts  counts
	gather  time.Duration // what is to be told
	used    func() bool   // so that what others tell matters
	log     *slog.Logger
	counter spool.Counter
	shared  bool
	mark    time.Time
	failed  bool // the last time
}

// pause is how long to wait before something is told.
func (s *stepper) pause() time.Duration {
	if s.failed {
		return hearCounts
	}
	return s.gather
}

// step tells all that is to be told, and hears.
func (s *stepper) step() {
	ctx, cancel := context.WithTimeout(context.Background(), countTime)
	defer cancel()
	for more := true; more; {
		counted := s.counts.Unsaid()
		more = len(counted) == spool.MaxCounted
		if len(counted) == 0 && !s.mark.IsZero() && !(s.shared && s.used()) {
			return // there is nothing to tell, or to hear
		}
		heard, mark, err := s.counter.Count(ctx, s.room, counted, s.mark)
		if err != nil {
			s.trouble(counted, err)
			return
		}
		s.mark, s.failed = mark, false
		s.counts.Hear(heard, time.Now())
	}
}

// trouble keeps what could not be told for the next time.
func (s *stepper) trouble(counted []spool.Counted, err error) {
	s.counts.Return(counted)
	if !s.failed {
		s.log.Warn("what is counted is not kept in the spool now; this node counts for itself", "room", s.room, "error", err)
	}
	s.failed = true
}
