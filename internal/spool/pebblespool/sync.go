package pebblespool

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/spool"
)

// syncs are the syncs of the log. Whoever wants to have durable what he has applied joins
// the next round. The first of it leads: when the round before has ended he waits
// a moment for a crowd, and syncs for all. So there is one sync at a time, and while the
// disk is busy with one round the next one grows.
type syncs struct {
	turn chan struct{} // held, by sending, by the leader that waits for others or syncs
	all  chan struct{} // told when no draft is left that could join
	last int           // how many shared the last sync; its leader's while he holds turn

	open atomic.Int64 // drafts that may join

	mu   sync.Mutex // guards what follows; held only while computing
	next *round     // that may be joined; nil: nobody has
}

// round is one sync, and those who wait for it.
type round struct {
	members int
	done    chan struct{} // closed at its end; err is good from then on
	err     error
}

// A sync that follows another at once finds few to share it, and costs as much as
// one for all: on the disk, and in threads that are put to sleep and woken. So a leader
// waits until a crowd of drafts is complete, but no longer than a moment, and not
// after a sync that nobody shared.
const (
	crowd  = 8
	moment = time.Millisecond
)

func newSyncs() syncs {
	return syncs{turn: make(chan struct{}, 1), all: make(chan struct{}, 1)}
}

// sync makes everything that was applied before it durable. An error means doubt.
func (s *Spool) sync() error {
	r, leads := s.syncs.join()
	if leads {
		s.lead(r)
	} else {
		<-r.done
	}
	return s.kept(r.err)
}

// lead brings a round to its end, also if Pebble ends the goroutine (see Fatalf).
func (s *Spool) lead(r *round) {
	s.syncs.turn <- struct{}{}
	defer s.syncs.end(r)
	s.syncs.wait()
	s.syncs.close(r)
	r.err = s.db.LogData(nil, pebble.Sync)
}

func (y *syncs) join() (r *round, leads bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if leads = y.next == nil; leads {
		y.next = &round{done: make(chan struct{}), err: spool.ErrInDoubt} // until more is known
	}
	y.next.members++
	return y.next, leads
}

// wait gives a crowd the time to join.
func (y *syncs) wait() {
	select {
	case <-y.all: // it was for an earlier round
	default:
	}
	open := int(y.open.Load())
	if open == 0 || y.last < 2 || open+y.members() < crowd {
		return
	}
	enough := time.NewTimer(moment)
	defer enough.Stop()
	select {
	case <-y.all:
	case <-enough.C:
	}
}

// members are how many have joined the next round. There is one.
func (y *syncs) members() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.next.members
}

// close has who comes from now on join another round.
func (y *syncs) close(r *round) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.next, y.last = nil, r.members
}

func (y *syncs) end(r *round) {
	<-y.turn
	close(r.done)
}

// leave says that a draft will not join any more: it has, or it has ended.
func (y *syncs) leave() {
	if y.open.Add(-1) > 0 {
		return
	}
	select {
	case y.all <- struct{}{}:
	default: // it was said
	}
}
