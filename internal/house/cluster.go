package house

import (
	"context"
	"fmt"
	"time"
)

// clustered is the configuration of a node of a cluster, which sends mail out itself. All
// of its nodes have one host name.
const clustered = onward + `
domain "a.test" {
  deliver = "store"
  mailboxes = ["ann", "bob"]
  forward "gone" {
    to     = "former@peer0.test"
    answer = 250
  }
}
route "store" {
  lmtp = "192.0.2.30:24"
  tls  = "never"
}
route "default" {
  remote = true
  tls    = "never"
  limits {
    destination = %d
    site        = %d
  }
}
`

// cluster builds nodes that share a base, in the place of a road of houses.
func (w *Town) cluster(nodes int) {
	w.base = w.NewBase("a.test")
	w.base.storm.Store(w.plan.Storm)
	for i := range nodes {
		node, address := fmt.Sprintf("node%d.a.test", 1+i), fmt.Sprintf("192.0.2.%d", 1+i)
		text := fmt.Sprintf(clustered, "a.test", address, "198.51.100.0/24", clusterLimit, clusterLimit)
		w.Houses = append(w.Houses, w.Node("a.test", node, address, text, w.base.Seat(node)))
		w.doors = append(w.doors, address+":25")
	}
}

// clusterTrouble lets something happen to a cluster, until it is over.
func (w *Town) clusterTrouble(kind int, h *House, long time.Duration) {
	s := h.store.(*seat)
	switch {
	case h.dead:
	case kind == 0:
		w.Part(h.node, "peer0.test", long)
	case kind == 1:
		w.rule(h, h.text, h.text, long)
	case kind == 2:
		w.tell(time.Now(), "base", "the primary fails")
		w.base.Fail(long, false)
		w.tell(time.Now(), "base", "another primary has taken its place")
	case kind == 3:
		w.tell(time.Now(), "base", "the primary fails, and leases are forgotten")
		w.base.Fail(long, true)
		w.tell(time.Now(), "base", "another primary has taken its place")
	case kind == 4:
		w.tell(time.Now(), h.node, "sleeps")
		s.Sleep(3 * long)
		w.tell(time.Now(), h.node, "goes on")
	case kind == 5:
		w.tell(time.Now(), h.node, "has no line to the base")
		s.Cut(3 * long)
		w.tell(time.Now(), h.node, "has a line to the base again")
	case kind == 6:
		w.tell(time.Now(), h.node, "is to drain")
		w.base.ask(h, true)
		time.Sleep(long)
		w.tell(time.Now(), h.node, "is not to drain any more")
		w.base.ask(h, false)
	default:
		h.Crash(2 * long)
	}
}

// ask has a node drain, or not. An operator sits at the base.
func (b *Base) ask(h *House, drain bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.spool.Drain(context.Background(), h.node, drain); err != nil {
		b.world.Errorf("drain: %v", err)
	}
	b.wake(nil)
}

// calm ends all trouble for good. In every third story one of the nodes never comes back.
func (w *Town) calm() {
	if w.base == nil {
		return
	}
	w.base.storm.Store(false)
	if last := w.Houses[len(w.Houses)-1]; w.plan.Storm && w.Seed%3 == 0 {
		last.Die()
	}
}
