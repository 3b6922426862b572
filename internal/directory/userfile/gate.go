package userfile

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
)

// gate bounds how many passwords are tried at a time, each with the memory and the
// processor that this takes, and how many wait for it.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int64
}

// How many wait for each that is tried, and for how long.
const (
	queueFactor = 64
	patience    = 10 * time.Second
)

func newGate() *gate { return &gate{slots: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// enter waits for a turn; leave ends it. The error is [directory.ErrBusy], or that of ctx.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > int64(queueFactor*cap(g.slots)) {
		g.waiting.Add(-1)
		return directory.ErrBusy
	}
	defer g.waiting.Add(-1)
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-enough.C:
		return directory.ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) leave() { <-g.slots }
