//go:build linux

package main

import (
	"context"
	"sync"
	"time"

	"github.com/posthouse/posthouse/bench/internal/proc"
)

// memoryInterval is how often memory is looked at; looking costs.
const memoryInterval = 50 * time.Millisecond

// watchMemory looks at the memory of the server now and again. The function that
// it returns ends that and tells the highest values.
func (r *running) watchMemory(ctx context.Context) (highest func() proc.Memory) {
	ctx, cancel := context.WithCancel(ctx)
	var top proc.Memory
	look := func() {
		if m, err := r.Memory(); err == nil {
			top.Shared, top.Resident = max(top.Shared, m.Shared), max(top.Resident, m.Resident)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(memoryInterval)
		defer tick.Stop()
		for {
			look()
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() proc.Memory {
		cancel()
		wg.Wait()
		return top
	}
}
