package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// shaky is the way to a spool elsewhere, that can be cut or leave in doubt.
type shaky struct {
	dispatch.Spool
	cut   atomic.Bool
	doubt atomic.Bool // Settle does its work, and nobody hears of it
	mute  atomic.Bool // Note fails
	opens atomic.Int32
	// unheard: Lease does its work, and nobody hears of it
	unheard atomic.Bool
}

var errCut = errors.New("connection to the spool is lost")

func (s *shaky) Join(ctx context.Context, name string, ttl time.Duration) (spool.Owner, error) {
	if s.cut.Load() {
		return spool.Owner{}, errCut
	}
	return s.Spool.Join(ctx, name, ttl)
}

func (s *shaky) Open(ctx context.Context, id mail.ID) (mail.Content, error) {
	s.opens.Add(1)
	return s.Spool.Open(ctx, id)
}

func (s *shaky) Beat(ctx context.Context, o spool.Owner) error {
	if s.cut.Load() {
		return errCut
	}
	return s.Spool.Beat(ctx, o)
}

func (s *shaky) Lease(ctx context.Context, o spool.Owner, w spool.Want) (spool.Taken, error) {
	if s.cut.Load() {
		return spool.Taken{}, errCut
	}
	taken, err := s.Spool.Lease(ctx, o, w)
	if s.unheard.Load() {
		return spool.Taken{}, fmt.Errorf("lease: %w", spool.ErrInDoubt)
	}
	return taken, err
}

func (s *shaky) Release(ctx context.Context, o spool.Owner, refs []spool.Ref) error {
	if s.cut.Load() {
		return errCut
	}
	return s.Spool.Release(ctx, o, refs)
}

func (s *shaky) Note(ctx context.Context, facts []spool.Fact) error {
	if s.cut.Load() || s.mute.Load() {
		return errCut
	}
	return s.Spool.Note(ctx, facts)
}

func (s *shaky) Settle(ctx context.Context, o spool.Owner, all []spool.Settlement) ([]spool.Settled, error) {
	if s.cut.Load() {
		return nil, errCut
	}
	settled, err := s.Spool.Settle(ctx, o, all)
	if s.doubt.Load() {
		return nil, fmt.Errorf("settle: %w", spool.ErrInDoubt)
	}
	return settled, err
}

func inShaky(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.shaky = new(shaky)
		w.open()
		f(w)
		w.shut()
	})
}

// TestTakenOver: we are cut off for longer than our leases last, and another node
// takes the mail over while we are still sending it. The journal says that there
// may be a second copy.
func TestTakenOver(t *testing.T) {
	inShaky(t, func(w *world) {
		w.road.at("bob@sina.example", first(1, after(50*time.Second, relays)))
		w.send("bob@sina.example")
		time.Sleep(time.Second)
		w.shaky.cut.Store(true)
		w.send("eve@sina.example") // must not be begun when the leases are over
		time.Sleep(39 * time.Second)
		w.send("dan@sina.example")
		other, err := w.spool.Join(w.Context(), "node-2", time.Hour)
		if err != nil {
			w.Fatal(err)
		}
		taken, err := w.spool.Lease(w.Context(), other, spool.Want{Recipients: 1})
		if err != nil || len(taken.Leases) != 1 {
			w.Fatal(taken, err)
		}
		time.Sleep(time.Minute)
		w.shaky.cut.Store(false)
		time.Sleep(time.Minute)
		w.check("16-taken-over")
		page, err := w.spool.Facts(w.Context(), spool.FactQuery{})
		if err != nil {
			w.Fatal(err)
		}
		copies := 0
		for _, f := range page.Facts {
			if e, _ := event.Parse(f.Data); e != nil {
				if _, is := e.(*event.SecondCopy); is {
					copies++
				}
			}
		}
		if copies != w.count("possible-second-copy") {
			w.Errorf("the journal tells of %d second copies", copies)
		}
	})
}

// TestNothingBeginsWithoutALease: when our leases may be over, those who wait for
// their turn are not sent, though a turn comes.
func TestNothingBeginsWithoutALease(t *testing.T) {
	inShaky(t, func(w *world) {
		for i := range 3 {
			w.road.at(fmt.Sprintf("user%d@sina.example", i), first(1, after(40*time.Second, relays)))
			w.send(fmt.Sprintf("user%d@sina.example", i))
		}
		time.Sleep(time.Second)
		w.shaky.cut.Store(true)
		time.Sleep(time.Minute)
		if n := w.road.tried("user2@sina.example"); n != 0 {
			w.Errorf("tried %d times", n)
		}
		w.shaky.cut.Store(false)
		time.Sleep(5 * time.Minute)
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

// commit puts a message into the spool that the desk is not told of.
func (w *world) commit(owner spool.Owner, to string) (mail.ID, *spool.Lease) {
	w.Helper()
	d, err := w.spool.Begin(w.Context(), 0)
	if err != nil {
		w.Fatal(err)
	}
	recipient := mail.Recipient{To: address(to)}
	lease, err := d.Commit(w.Context(), spool.Commit{Envelope: mail.Envelope{To: []mail.Recipient{recipient}, Arrived: time.Now()}, For: owner})
	if err != nil {
		w.Fatal(err)
	}
	return d.ID(), lease
}

// TestArrivalOfAnEpochThatIsOver: its lease is worth nothing; it was found in the
// spool, and is not sent again.
func TestArrivalOfAnEpochThatIsOver(t *testing.T) {
	in(t, func(w *world) {
		owner := w.desk.Owner()
		_, lease := w.commit(owner, "bob@sina.example")
		if lease == nil {
			w.Fatal("no lease was born")
		}
		if _, err := w.spool.Join(w.Context(), "dispatch", time.Hour); err != nil {
			w.Fatal(err)
		}
		time.Sleep(20 * time.Second) // the next beat finds out, and it is sent
		w.desk.Arrive(dispatch.Arrival{Owner: owner, Lease: lease, Text: []byte("\r\n")})
		time.Sleep(time.Minute)
		if n := w.road.tried("bob@sina.example"); n != 1 || w.left() != 0 {
			w.Errorf("tried %d times:\n%s", n, w.told())
		}
	})
}

// TestOnlySoMuchIsKept: texts past the budget are read back from the spool.
func TestOnlySoMuchIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.shaky, w.keep = new(shaky), 400
		w.open()
		for range 2 { // what is given back when a message is done can be used again
			for i := range 4 {
				w.send(fmt.Sprintf("user%d@d%d.example", i, i))
			}
			time.Sleep(time.Second)
		}
		if n := w.shaky.opens.Load(); n != 4 {
			t.Errorf("%d of 8 were read back, want 4", n)
		}
		w.shut()
	})
}

// TestNoteIsNotLost: what could not be noted is noted later.
func TestNoteIsNotLost(t *testing.T) {
	inShaky(t, func(w *world) {
		w.road.at("bob@sina.example", first(1, greylisted))
		id := w.send("bob@sina.example")
		time.Sleep(time.Second)
		w.spool.Spoil(id)
		w.shaky.mute.Store(true)
		time.Sleep(10 * time.Minute)
		w.shaky.mute.Store(false)
		time.Sleep(time.Minute)
		page, err := w.spool.Facts(w.Context(), spool.FactQuery{ID: id, Newest: true, Limit: 1})
		if err != nil || len(page.Facts) != 1 {
			w.Fatal(page, err)
		}
		if e, _ := event.Parse(page.Facts[0].Data); fmt.Sprintf("%T", e) != "*event.Damaged" {
			w.Errorf("the last fact is %+v", e)
		}
	})
}

// TestSettleInDoubt: nobody knows whether it was recorded. If it was, nothing more
// happens; in any case the journal says what may.
func TestSettleInDoubt(t *testing.T) {
	inShaky(t, func(w *world) {
		w.road.at("bob@sina.example", greylisted)
		w.shaky.doubt.Store(true)
		w.send("bob@sina.example")
		w.send("eve@sina.example")
		time.Sleep(30 * time.Second)
		w.shaky.doubt.Store(false)
		w.road.at("bob@sina.example", relays)
		time.Sleep(time.Hour)
		w.check("17-settled-in-doubt")
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

// TestNotSettled: what was sent is recorded when the spool answers again, if our leases
// have lasted; else it is sent again, and marked.
func TestNotSettled(t *testing.T) {
	for story, long := range map[string]time.Duration{"18-not-settled": 40 * time.Second, "23-settled-later": 10 * time.Second} {
		inShaky(t, func(w *world) {
			w.road.at("bob@sina.example", first(1, after(5*time.Second, relays)))
			w.send("bob@sina.example")
			time.Sleep(time.Second)
			w.shaky.cut.Store(true)
			time.Sleep(long)
			w.shaky.cut.Store(false)
			time.Sleep(time.Hour)
			w.check(story)
			if n := w.left(); n != 0 {
				w.Errorf("%d messages are left", n)
			}
		})
	}
}

// TestInDoubtWithALease: a commit and a lease of which nobody heard leave nothing that is
// leased and looked after by nobody.
func TestInDoubtWithALease(t *testing.T) {
	inShaky(t, func(w *world) {
		time.Sleep(time.Second)
		owner := w.desk.Owner()
		id, _ := w.commit(owner, "bob@sina.example")
		w.desk.Arrive(dispatch.Arrival{Owner: owner, Doubt: []spool.Ref{{ID: id}}})
		time.Sleep(5 * time.Second)
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left of a commit in doubt", n)
		}
		w.commit(spool.Owner{}, "eve@sina.example")
		w.shaky.unheard.Store(true)
		time.Sleep(time.Minute)
		w.shaky.unheard.Store(false)
		time.Sleep(5 * time.Second)
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left of a lease in doubt", n)
		}
	})
}

// TestShutdownWithoutASpool: it ends though nothing can be given back.
func TestShutdownWithoutASpool(t *testing.T) {
	inShaky(t, func(w *world) {
		w.road.at("bob@sina.example", after(time.Hour, relays))
		w.send("bob@sina.example")
		time.Sleep(time.Second)
		w.shaky.cut.Store(true)
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if err := w.desk.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			w.Error(err)
		}
		<-w.done
		if since := time.Since(w.start); since > 5*time.Second {
			w.Errorf("it took %v", since)
		}
		w.done <- nil
	})
}
