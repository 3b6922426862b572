package password

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// ErrBusy says that too many passwords are tried at a time.
var ErrBusy = errors.New("too many log in at a time")

// Gate bounds how many passwords are tried at a time, each with the memory and the
// processor that this takes, and how many wait for it.
type Gate struct {
	slots   chan struct{}
	waiting atomic.Int64
}

// How many wait for each that is tried, and for how long.
const (
	queueFactor = 64
	patience    = 10 * time.Second
)

// NewGate makes a gate.
func NewGate() *Gate { return &Gate{slots: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// Enter waits for a turn; [Gate.Leave] ends it. The error is [ErrBusy], or that of ctx.
func (g *Gate) Enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > int64(queueFactor*cap(g.slots)) {
		g.waiting.Add(-1)
		return ErrBusy
	}
	defer g.waiting.Add(-1)
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-enough.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave ends a turn.
func (g *Gate) Leave() { <-g.slots }
