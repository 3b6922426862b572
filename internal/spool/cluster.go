package spool

import (
	"context"
	"time"
)

// Waker is an [Engine] that other processes may put work into. Nobody has to ask it
// over and over: it tells when something may be there.
type Waker interface {
	// Wake returns a channel of the caller's own. It has a value when others than the
	// node of that name may have left something to lease, or asked something of
	// the node. One value stands for any number of such things, and some of them may
	// be missed: who waits for it also looks now and then. It is never closed.
	Wake(node string) <-chan struct{}
}

// Cluster is an [Engine] that several nodes share. A node is known from the first time that it
// joins, by the name of its owner.
type Cluster interface {
	// Nodes are all that are known, by name.
	Nodes(ctx context.Context) ([]Node, error)

	// Drain asks a node to give back what it has leased and to take no more mail in,
	// until it is called again with on false; a node that starts anew is still asked. It is durable when it
	// returns, and wakes the node. ErrNotFound if there is no such node.
	Drain(ctx context.Context, name string, on bool) error

	// Draining reports whether the node of that name is asked to drain. One that is
	// not known is not.
	Draining(ctx context.Context, name string) (bool, error)
}

// Node is one of those who share an engine.
type Node struct {
	Owner    Owner // its last epoch
	Since    time.Time
	Beat     time.Time // the last one
	Until    time.Time // its leases are free from then on, if it does not beat
	Leases   int64     // recipients that it holds
	Draining bool      // it is asked to
	Version  string    // of the program; "": not known
}

// Alive reports whether the epoch of the node lasts.
func (n *Node) Alive(now time.Time) bool { return now.Before(n.Until) }
