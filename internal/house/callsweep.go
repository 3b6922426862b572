package house

import (
	"testing"
	"time"
)

// CallJourney is the way of a [Journey] with a [Base] in the place of the disk: the node
// dies of a call to it, before that is done or after, and begins again. All of the base is
// there still.
type CallJourney struct {
	StopAt int  // the call; 0: none
	Done   bool // it is done, and the node does not hear of it
	// Again is the call of the life after that of which it dies once more; 0: none.
	Again int
}

// Run plays the journey, in a bubble, and reports whether the node died, and how many
// calls there were in its first life.
func (j CallJourney) Run(t testing.TB) (stopped bool, calls int) {
	w := journeyTown(t)
	base := w.NewBase("a.test")
	h := &House{Name: "a.test", node: "node1.a.test", world: w.World, text: inn, store: base.Seat("node1.a.test")}
	h.host = w.Net.Host(h.node, "192.0.2.1")
	w.Account.belongs(h.node, "a.test")
	w.clusters["a.test"] = h
	w.announce("a.test", "192.0.2.1")
	w.Houses = []*House{h}
	h.open()
	h.begin()
	base.StopBefore(j.StopAt, j.Done, func() { stopped = true })
	Journey{}.travel(w, h)
	crash := h.lose("the first life ends")
	calls = base.Calls()
	if j.Again > 0 {
		base.StopBefore(j.Again, !j.Done, func() {})
		h.open()
		h.begin()
		time.Sleep(time.Minute)
		crash = h.lose("the second life ends")
	}
	base.StopBefore(0, false, nil)
	w.arriveHome(h, inn, crash)
	return stopped, calls
}
