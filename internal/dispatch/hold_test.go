package dispatch_test

import (
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// held says whether all is held, from now on.
func (w *world) held(hold bool) {
	w.Helper()
	w.settings.Hold = hold
	if err := w.desk.Reload(w.Context(), w.settings); err != nil {
		w.Fatal(err)
	}
}

// leased is how many recipients are on lease.
func (w *world) leased() int64 {
	w.Helper()
	st, err := w.spool.Stats(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return st.Leased
}

// TestEverythingIsHeld: mail is taken and waits, over a crash too, and goes when
// the settings say so. Nobody has it on lease meanwhile.
func TestEverythingIsHeld(t *testing.T) {
	in(t, func(w *world) {
		w.held(true)
		w.send("bob@sina.example")
		removed := w.send("eve@sina.example")
		returned := w.send("carl@sina.example")
		time.Sleep(time.Hour)
		w.crash()
		w.order(removed, spool.Remove)
		w.order(returned, spool.Bounce)
		time.Sleep(6 * 24 * time.Hour) // longer than mail is tried
		if n := w.road.tried("bob@sina.example") + w.road.tried("ann@sohu.example"); n != 0 || w.left() != 2 || w.leased() != 0 {
			w.Errorf("tried %d times, %d messages are left, %d leased:\n%s", n, w.left(), w.leased(), w.told())
		}
		w.held(false)
		time.Sleep(time.Minute)
		if w.road.sent("bob@sina.example") != 1 && w.count("expired") != 1 {
			w.Errorf("neither sent nor expired:\n%s", w.told())
		}
		if w.road.sent("eve@sina.example")+w.road.sent("carl@sina.example") != 0 || w.left() != 0 {
			w.Errorf("%d messages are left:\n%s", w.left(), w.told())
		}
		if n := w.count("reported", "action=failed"); n < 1 {
			w.Errorf("what was returned is not told of:\n%s", w.told())
		}
	})
}

// TestHeldFromNowOn: what is in flight gets to its end, and what waits goes back.
func TestHeldFromNowOn(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", after(time.Minute, refuses))
		w.road.at("eve@sina.example", greylisted)
		w.settings.Queue.Default.Destination.Deliveries = 1
		w.held(false)
		w.send("bob@sina.example")
		w.send("eve@sina.example")
		time.Sleep(30 * time.Second)
		w.held(true)
		time.Sleep(time.Hour)
		if n := w.count("failed", "bob@sina.example"); n != 1 {
			w.Errorf("told %d times of what was in flight:\n%s", n, w.told())
		}
		if w.road.tried("eve@sina.example")+w.road.tried("ann@sohu.example") != 0 || w.left() != 2 || w.leased() != 0 {
			w.Errorf("%d messages are left, %d leased:\n%s", w.left(), w.leased(), w.told())
		}
		w.held(false)
		time.Sleep(time.Minute)
		if w.road.tried("eve@sina.example") == 0 || w.road.sent("ann@sohu.example") != 1 {
			w.Errorf("not tried when it was let go:\n%s", w.told())
		}
	})
}

// TestHeldFromTheStart: a house that begins so takes mail without a lease.
func TestHeldFromTheStart(t *testing.T) {
	in(t, func(w *world) {
		w.shut()
		w.settings.Hold = true
		w.open()
		if o := w.desk.Owner(); o != (spool.Owner{}) {
			w.Errorf("leases are born for %v", o)
		}
		w.send("bob@sina.example")
		time.Sleep(time.Hour)
		if w.road.tried("bob@sina.example") != 0 || w.leased() != 0 {
			w.Errorf("%d leased:\n%s", w.leased(), w.told())
		}
	})
}
