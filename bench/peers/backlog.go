//go:build linux

package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// measureBacklog fills a spool with mail that cannot be delivered, looks at how
// fast more is accepted, starts the server again, and sees how soon it answers and
// how soon the first of the old mail leaves, for a sink that is there by now.
func measureBacklog(ctx context.Context, b bench, who peer, w workload) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*b.limit)
	defer cancel()
	r, err := b.start(ctx, who, deferred, w.load.Sessions)
	if err != nil {
		return nil, err
	}
	defer r.end()
	f, err := r.fill(ctx, w.load, b.each)
	if err != nil {
		return nil, err
	}
	r.Stop()
	f[disk] = float64(occupied(r.dir)) / (1 << 20)
	next := relay
	if _, ours := who.(posthouse); !ours {
		next = deferred // others look at deferred mail again minutes later
	}
	return f, r.again(ctx, who, next, f)
}

// fill accepts at an empty spool, up to the backlog, and then at the full one.
func (r *running) fill(ctx context.Context, l load.Load, each time.Duration) (figures, error) {
	sample, err := r.warmUp(ctx, load.Load{Sessions: l.Sessions, Messages: most, Size: l.Size}, each)
	if err != nil {
		return nil, err
	}
	now := func() (figures, error) {
		syscall.Sync()
		return r.metered(sample, func(l load.Load) (load.Sent, error) { return r.send(ctx, l) }, nil)
	}
	before, err := now()
	if err != nil {
		return nil, err
	}
	l.Messages -= sample.Messages + 2*warm
	if l.Messages > 0 {
		if _, err := r.send(ctx, l); err != nil {
			return nil, err
		}
	}
	f, err := now()
	if err != nil {
		return nil, err
	}
	m, err := r.Memory()
	f[empty], f[emptyCost] = before[rate], before[cost]
	f[slower] = f[rate] / f[empty]
	f[memory], f[peak] = float64(m.Resident)/(1<<20), float64(m.Peak)/(1<<20)
	return f, err
}

// again starts the server on what it had, in another mode, and sees how soon it
// greets, and how soon the first message leaves if it can.
func (r *running) again(ctx context.Context, who peer, m mode, f figures) (err error) {
	r.mode = m
	if m == relay {
		if err := r.takeMail(ctx); err != nil {
			return err
		}
	}
	syscall.Sync()
	start := time.Now()
	if r.Server, err = open(ctx, who, r.place); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	f[ready] = time.Since(start).Seconds()
	if m == relay {
		before := r.sink.Taken()
		if err := r.sink.Wait(ctx, before+1); err != nil {
			return fmt.Errorf("after the start: %w", err)
		}
		f[first] = time.Since(start).Seconds()
	}
	now, err := r.Memory()
	f[memory] = max(f[memory], float64(now.Resident)/(1<<20))
	f[peak] = max(f[peak], float64(now.Peak)/(1<<20))
	return err
}

// occupied adds up what the files below a directory take on the disk, in octets.
func occupied(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				sum += s.Blocks * 512
			}
		}
		return nil
	})
	return sum
}
