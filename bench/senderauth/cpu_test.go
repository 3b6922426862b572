package senderauth

import (
	"syscall"
	"testing"
	"time"
)

// cpu reports the CPU time of an operation beside the time on the clock, which on a busy machine
// is that of others too. It is called before the loop, and what it returns behind it.
func cpu(b *testing.B) (done func()) {
	b.Helper()
	began := used(b)
	return func() { b.ReportMetric(float64(used(b)-began)/float64(b.N), "cpu-ns/op") }
}

func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
