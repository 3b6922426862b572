package maildir_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport/maildir"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

// BenchmarkDeliver delivers messages of 4 KB into one Maildir, 20 at a time.
func BenchmarkDeliver(b *testing.B) {
	tr, err := maildir.New(maildir.Options{Root: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer tr.Close()
	d := transporttest.Delivery(transporttest.Envelope(b, "jane@b.test"), strings.Repeat("It rains and rains and rains, and then it rains some more.\r\n", 70), mail.Hop{})
	b.ReportAllocs()
	b.ResetTimer()
	began := cpu()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if o := tr.Deliver(b.Context(), d); o[0].Fate != mail.Delivered {
					b.Error(o[0].Reply)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64((cpu()-began).Microseconds())/float64(b.N), "µs-cpu/msg")
}

// cpu is the time that the process has had.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
