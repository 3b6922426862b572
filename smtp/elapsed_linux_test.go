package smtp

import (
	"runtime"
	"syscall"
	"time"
)

// elapsed is the time of the processor that a parser takes, whatever else runs.
func elapsed(parse func(string), s string) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := threadTime()
	parse(s)
	return threadTime() - start
}

func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	_ = syscall.Getrusage(thread, &u) // it has no way to fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
