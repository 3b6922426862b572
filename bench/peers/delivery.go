//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// measureDelivery counts messages from the first connect until the last has
// arrived, at the sink or in the Maildir.
func measureDelivery(ctx context.Context, b bench, who peer, w workload) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	r, err := b.start(ctx, who, w.mode, w.load.Sessions)
	if err != nil {
		return nil, err
	}
	defer r.end()
	l, arrived, err := r.warmUpThrough(ctx, w.load, b.each)
	if err != nil {
		return nil, err
	}
	syscall.Sync()
	return r.metered(l,
		func(l load.Load) (load.Sent, error) { return r.send(ctx, l) },
		func() error { return r.delivered(ctx, arrived+l.Messages) })
}

// warmUpAs is warmUp, or warmUpThrough where mail is delivered.
func (r *running) warmUpAs(ctx context.Context, w workload, each time.Duration) (load.Load, int, error) {
	if w.mode != hold && w.mode != secure && w.mode != sharedHold {
		return r.warmUpThrough(ctx, w.load, each)
	}
	l, err := r.warmUp(ctx, w.load, each)
	return l, 0, err
}

// warmUpThrough is warmUp up to the arrival of what was sent, at whose rate the
// messages of the round are counted. It returns how many have arrived, too.
func (r *running) warmUpThrough(ctx context.Context, l load.Load, each time.Duration) (load.Load, int, error) {
	w := l
	w.Messages = warm
	var took time.Duration
	for arrived := w.Messages; arrived <= 2*w.Messages; arrived += w.Messages {
		start := time.Now()
		if _, err := r.send(ctx, w); err != nil {
			return l, 0, err
		}
		if err := r.delivered(ctx, arrived); err != nil {
			return l, 0, err
		}
		took = time.Since(start)
	}
	l.Messages = enough(w.Messages, took, each, l.Messages)
	return l, 2 * w.Messages, nil
}

// delivered waits until n messages have arrived since the server started.
func (r *running) delivered(ctx context.Context, n int) error {
	if r.mode.relays() {
		return r.sink.Wait(ctx, int64(n))
	}
	for {
		have, err := files(r.box())
		if err != nil || have >= n {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d messages lie in the Maildir: %w", have, n, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// files counts what lies in a directory; one that is not there yet is empty.
func files(dir string) (n int, err error) {
	f, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(4096)
		n += len(names)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
