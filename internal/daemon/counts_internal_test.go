package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// alone is a spool that nobody shares.
type alone struct{ spool.Engine }

// books keeps a new book in step with a spool until the end is called.
func books(t *testing.T, e spool.Engine) (b *login.Book, end func()) {
	b = login.NewBook(login.Budget{})
	b.Allow(login.Rule{Burst: 5, Each: time.Hour}, login.Rule{})
	s := stepper{room: "room", counts: b, gather: gatherFailures, used: func() bool { return true }}
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		s.keep(&House{spool: e, world: &World{Log: slog.New(slog.DiscardHandler)}}, over)
	}()
	synctest.Wait()
	return b, func() { close(over); <-done }
}

func send(b *login.Book, tries int) (sent int) {
	for range tries {
		if b.Message("joe", time.Now()) {
			sent++
		}
	}
	return sent
}

// TestCountsOutliveTheProcess, on one machine too.
func TestCountsOutliveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := alone{memspool.New(memspool.Options{})}
		b, end := books(t, e)
		if n := send(b, 4); n != 4 {
			t.Errorf("%d sent", n)
		}
		end()
		b, end = books(t, e)
		if n := send(b, 4); n != 1 {
			t.Errorf("%d sent after a restart", n)
		}
		time.Sleep(2 * keepCountsEvery) // and then the power is cut
		b, end2 := books(t, e)
		if n := send(b, 4); n != 0 {
			t.Errorf("%d sent after another", n)
		}
		end2()
		end()
		time.Sleep(2 * time.Hour)
		b, end = books(t, e)
		defer end()
		if n := send(b, 4); n != 2 {
			t.Errorf("%d sent two hours later", n)
		}
	})
}

// TestCountsOfNodes are those of all of them soon.
func TestCountsOfNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memspool.New(memspool.Options{})
		one, endOne := books(t, s)
		two, endTwo := books(t, s)
		defer endOne()
		defer endTwo()
		send(one, 4)
		time.Sleep(hearCounts + time.Second)
		if n := send(two, 4); n != 1 {
			t.Errorf("%d sent at the other node", n)
		}
	})
}

// TestCountsWhileTheSpoolIsAway are told when it is back, and nobody asks it over and over.
func TestCountsWhileTheSpoolIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := &awayCounter{Spool: memspool.New(memspool.Options{}), away: true}
		one, endOne := books(t, away)
		two, endTwo := books(t, away)
		defer endOne()
		defer endTwo()
		send(one, 4)
		time.Sleep(time.Minute)
		if calls := away.back(); calls > 60 {
			t.Errorf("%d calls in a minute", calls)
		}
		time.Sleep(2*hearCounts + time.Second)
		if n := send(two, 4); n != 1 {
			t.Errorf("%d sent at the other node", n)
		}
	})
}

// awayCounter is a spool that cannot be reached for a time.
type awayCounter struct {
	*memspool.Spool
	mu    sync.Mutex
	away  bool
	calls int
}

func (a *awayCounter) Count(ctx context.Context, room string, counted []spool.Counted, since time.Time) ([]spool.Count, time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calls++; a.away {
		return nil, since, errors.New("it is away")
	}
	return a.Spool.Count(ctx, room, counted, since)
}

// back has it reached again, and returns how often it was called.
func (a *awayCounter) back() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = false
	return a.calls
}
