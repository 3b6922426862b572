//go:build linux

package main

import (
	"errors"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/bench/internal/proc"
)

// reading is what has been used up to an instant.
type reading struct {
	at      time.Time
	server  time.Duration
	sink    time.Duration
	self    time.Duration
	machine time.Duration
}

func (r *running) read() (now reading, err error) {
	var errs [3]error
	now.server, errs[0] = r.Used()
	if r.sink != nil && r.sink.PID > 0 {
		var p proc.Process
		p, errs[1] = proc.Of(r.sink.PID)
		now.sink = p.Used
	}
	now.machine, errs[2] = proc.Busy()
	now.self = ownTime()
	now.at = time.Now()
	return now, errors.Join(errs[:]...)
}

func ownTime() time.Duration {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// metered runs a load, which ends when done returns, and says what it has cost.
// done may be nil: then the load ends when the last message is accepted.
func (r *running) metered(l load.Load, send func(load.Load) (load.Sent, error), done func() error) (figures, error) {
	before, err := r.read()
	if err != nil {
		return nil, err
	}
	sent, err := send(l)
	if err == nil && done != nil {
		err = done()
	}
	if err != nil {
		return nil, err
	}
	after, err := r.read()
	if err != nil {
		return nil, err
	}
	return usage(l, sent, before, after), nil
}

// usage turns two readings into figures.
func usage(l load.Load, sent load.Sent, before, after reading) figures {
	took := after.at.Sub(before.at)
	server := after.server - before.server
	known := server + after.sink - before.sink + after.self - before.self + sent.CPU
	n := float64(l.Messages)
	return figures{
		rate:     n / took.Seconds(),
		accepted: n / sent.Took.Seconds(),
		volume:   n * float64(l.Size) / 1e6 / took.Seconds(),
		cost:     float64(server.Microseconds()) / n,
		cores:    server.Seconds() / took.Seconds(),
		others:   max(0, (after.machine-before.machine-known).Seconds()/took.Seconds()),
	}
}
