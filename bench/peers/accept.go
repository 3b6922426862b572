//go:build linux

package main

import (
	"context"
	"syscall"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// measureAccept counts messages until the last is accepted.
func measureAccept(ctx context.Context, b bench, who peer, w workload) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	r, err := b.start(ctx, who, w.mode, w.load.Sessions)
	if err != nil {
		return nil, err
	}
	defer r.end()
	l, err := r.warmUp(ctx, w.load, b.each)
	if err != nil {
		return nil, err
	}
	syscall.Sync() // what others have written is not written at our expense
	return r.metered(l, func(l load.Load) (load.Sent, error) { return r.send(ctx, l) }, nil)
}

// measureLarge also watches the memory. Before that come small messages and one large one:
// the pages of the program that they need are not what a session adds.
func measureLarge(ctx context.Context, b bench, who peer, w workload) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	r, err := b.start(ctx, who, w.mode, w.load.Sessions)
	if err != nil {
		return nil, err
	}
	defer r.end()
	small, one := w.load, w.load
	small.Messages, small.Size = 200, 4<<10
	one.Messages, one.Sessions = 1, 1
	for _, l := range []load.Load{small, one} {
		if _, err := r.send(ctx, l); err != nil {
			return nil, err
		}
	}
	syscall.Sync()
	before, err := r.Memory()
	if err != nil {
		return nil, err
	}
	highest := r.watchMemory(ctx)
	f, err := r.metered(w.load, func(l load.Load) (load.Sent, error) { return r.send(ctx, l) }, nil)
	top := highest()
	if err != nil {
		return nil, err
	}
	f[session] = float64(top.Shared-before.Shared) / 1024 / float64(w.load.Sessions)
	f[peak] = float64(top.Resident) / (1 << 20)
	return f, nil
}
