package dispatch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
)

// another is a second desk at the spool of a world, under the name of another node.
func (w *world) another(name string) *dispatch.Desk {
	w.Helper()
	desk := dispatch.New(dispatch.Options{
		Settings: w.settings, Spool: w.spool, Name: name, Prepare: w.intake.Prepare, Observe: w.observe,
	})
	done := make(chan error, 1)
	go func() { done <- desk.Run(context.Background()) }()
	w.Cleanup(func() {
		if err := desk.Shutdown(context.Background()); err != nil {
			w.Error(err)
		}
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
	synctest.Wait()
	return desk
}

// TestADrainingNodeLeavesItsMailToTheOther: what waits goes back at once, and the
// other, which is woken, sends it long before it would have looked by itself.
func TestADrainingNodeLeavesItsMailToTheOther(t *testing.T) {
	in(t, func(w *world) {
		w.settings.Queue.Deliveries = 1
		if err := w.desk.Reload(w.Context(), w.settings); err != nil {
			w.Fatal(err)
		}
		w.road.at("slow@sina.example", after(time.Hour, relays))
		w.send("slow@sina.example")
		w.send("bob@sohu.example") // waits for its turn behind the slow one
		synctest.Wait()
		other := w.another("second")
		defer func() { _ = other.Shutdown(w.Context()) }()
		time.Sleep(time.Second)
		if n := w.road.sent("bob@sohu.example"); n != 0 || w.leased() != 2 {
			w.Fatalf("sent %d times, %d leased, though the first node has it", n, w.leased())
		}
		if err := w.desk.Drain(w.Context(), true); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := w.road.sent("bob@sohu.example"); n != 1 || w.leased() != 1 {
			w.Errorf("sent %d times by the other, %d leased:\n%s", n, w.leased(), w.told())
		}
		time.Sleep(2 * time.Hour) // the delivery under way comes to its end
		if n := w.road.sent("slow@sina.example"); n != 1 || w.left() != 0 {
			w.Errorf("the slow one: %d times, %d left:\n%s", n, w.left(), w.told())
		}
	})
}

// TestADrainedNodeWorksAgain: it leases again what comes, once it may.
func TestADrainedNodeWorksAgain(t *testing.T) {
	in(t, func(w *world) {
		if err := w.desk.Drain(w.Context(), true); err != nil {
			w.Fatal(err)
		}
		w.send("bob@sohu.example")
		time.Sleep(time.Hour)
		if n := w.road.sent("bob@sohu.example"); n != 0 || w.leased() != 0 {
			w.Errorf("sent %d times, %d leased, while it drains", n, w.leased())
		}
		if err := w.desk.Drain(w.Context(), false); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := w.road.sent("bob@sohu.example"); n != 1 {
			w.Errorf("sent %d times:\n%s", n, w.told())
		}
	})
}
