package service

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the clock by which a supervisor tells a reload that it asked for from one
// that was before.
func monotonic() (time.Duration, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0, err
	}
	return time.Duration(now.Nano()), nil
}
