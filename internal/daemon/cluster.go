package daemon

import (
	"context"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// lookForOrders is how often a node looks whether it is asked to drain, if nothing wakes it.
const lookForOrders = 5 * time.Second

// orderTime is how long one such look may take.
const orderTime = 10 * time.Second

// obey does what the cluster asks of this node, until over is closed.
func (h *House) obey(over <-chan struct{}) {
	shared, is := h.spool.(spool.Cluster)
	if !is {
		return
	}
	var wake <-chan struct{} // nil: nothing comes
	if w, is := h.spool.(spool.Waker); is {
		wake = w.Wake(h.node)
	}
	tick := time.NewTicker(lookForOrders)
	defer tick.Stop()
	for {
		h.look(shared)
		select {
		case <-wake:
		case <-tick.C:
		case <-over:
			return
		}
	}
}

// look finds out whether the node is to drain, and lets both desks know.
func (h *House) look(shared spool.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), orderTime)
	defer cancel()
	drain, err := shared.Draining(ctx, h.node)
	if err != nil || drain == h.in.Draining() {
		return // what is wrong with the spool is told by who works with it
	}
	if h.out.Drain(ctx, drain) != nil {
		return // the house ends
	}
	h.in.Drain(drain)
	if drain {
		h.world.Log.Warn("draining: no mail is taken, and what waits is left to other nodes", "node", h.node)
	} else {
		h.world.Log.Info("not draining any more", "node", h.node)
	}
}

// Node is the name of this node among those that share its spool; "": nobody does.
func (h *House) Node() string {
	if !h.Config().Spool.Shared() {
		return ""
	}
	return h.node
}

// Draining reports whether the house takes no more mail, because the cluster has asked
// it.
func (h *House) Draining() bool { return h.in.Draining() }

// house is the node of a spool that nobody shares.
const house = "house"
