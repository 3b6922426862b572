//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// measureIdle opens sessions that say EHLO and wait, and divides the memory that
// was added by their number.
func measureIdle(ctx context.Context, b bench, who peer, w workload) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	n := who.crowd()
	r, err := b.start(ctx, who, w.mode, n)
	if err != nil {
		return nil, err
	}
	defer r.end()
	if _, err := r.send(ctx, load.Load{Sessions: 2, Messages: 20, Size: 4 << 10, Fresh: true}); err != nil {
		return nil, err
	}
	before, err := r.Memory()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	open, err := crowd(ctx, r.addr(), n)
	took := time.Since(start)
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	if err != nil {
		return nil, fmt.Errorf("%d of %d sessions (see ulimit -n): %w", len(open), n, err)
	}
	after, err := r.Memory()
	return figures{
		session: float64(after.Shared-before.Shared) / 1024 / float64(n),
		opening: float64(n) / took.Seconds(),
		memory:  float64(after.Resident) / (1 << 20),
	}, err
}

// crowd opens n sessions, some at a time. It returns those that are open also with
// an error, the first.
func crowd(ctx context.Context, addr string, n int) (open []*load.Client, err error) {
	const together = 10
	var left atomic.Int64
	left.Store(int64(n))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range together {
		wg.Go(func() {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				c, failed := load.Dial(ctx, addr)
				mu.Lock()
				if failed == nil {
					open = append(open, c)
				} else if err == nil {
					err = failed
				}
				mu.Unlock()
				if failed != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if err == nil {
		err = ctx.Err()
	}
	return open, err
}
