package pebblespool_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/smtp"
)

// The benchmarks write to a real directory: TMPDIR says where.
//
//	go test -run ^$ -bench . ./internal/spool/pebblespool
//	POSTHOUSE_BACKLOG=1000000 go test -run Backlog -v ./internal/spool/pebblespool

func benchEnvelope(i int64) mail.Envelope {
	return envelopeTo(fmt.Sprintf("user%d@d%d.sina.example", i, i%1000))
}

func envelopeTo(address string) mail.Envelope {
	from, _ := smtp.ParseMailbox("ann@sohu.example")
	to, err := smtp.ParseMailbox(address)
	if err != nil {
		panic(err) // a test's own address
	}
	return mail.Envelope{From: from, To: []mail.Recipient{{To: to, Original: to}}, Arrived: time.Now(), Subject: "hello", MessageID: "<1@x>"}
}

func benchSpool(b *testing.B) *pebblespool.Spool {
	s, err := pebblespool.Open(b.TempDir(), pebblespool.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// incompressible is a body as mail of today is: mostly base64.
func incompressible(size int) []byte {
	body := make([]byte, size)
	x := uint32(1)
	for i := range body {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		body[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[x>>26]
	}
	return body
}

func benchCommit(ctx context.Context, b testing.TB, s spool.Engine, i int64, body []byte, owner spool.Owner) *spool.Lease {
	d, err := s.Begin(ctx, int64(len(body)))
	if err != nil {
		b.Fatal(err)
	}
	if _, err = d.Write(body); err != nil {
		b.Fatal(err)
	}
	lease, err := d.Commit(ctx, spool.Commit{
		Envelope: benchEnvelope(i), Prepend: []byte("Received: from x by y; now\r\n"),
		Facts: []spool.Fact{{At: time.Now(), Data: body[:200]}}, For: owner,
	})
	if err != nil {
		b.Fatal(err)
	}
	return lease
}

// BenchmarkCommit is durable commits alone; the backlog grows.
func BenchmarkCommit(b *testing.B) {
	for _, committers := range []int{20, 100} {
		for _, kb := range []int{4, 40} {
			b.Run(fmt.Sprintf("%dx%dKB", committers, kb), func(b *testing.B) { benchCycle(b, committers, kb, false) })
		}
	}
}

// BenchmarkCycle is a durable commit with its lease, and a lazy settlement that
// removes it; settlements come in batches, as dispatch makes them.
func BenchmarkCycle(b *testing.B) {
	for _, committers := range []int{20, 100} {
		for _, kb := range []int{4, 40} {
			b.Run(fmt.Sprintf("%dx%dKB", committers, kb), func(b *testing.B) { benchCycle(b, committers, kb, true) })
		}
	}
}

// BenchmarkYardstick is Pebble alone: one value of that size, put and synced.
// What it cannot do in this hour on this machine, the spool cannot.
func BenchmarkYardstick(b *testing.B) {
	for _, committers := range []int{20, 100} {
		for _, kb := range []int{4, 40} {
			b.Run(fmt.Sprintf("%dx%dKB", committers, kb), func(b *testing.B) { benchPebble(b, committers, kb) })
		}
	}
}

func benchPebble(b *testing.B, committers, kb int) {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{MemTableSize: 64 << 20, FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var n atomic.Int64
	body := incompressible(kb << 10)
	measure(b, committers, func() {
		if err := db.Set(fmt.Appendf(nil, "%020d", n.Add(1)), body, pebble.Sync); err != nil {
			b.Fatal(err)
		}
	})
}

// measure runs f in so many goroutines.
func measure(b *testing.B, committers int, f func()) {
	b.ReportAllocs()
	b.SetParallelism((committers + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	cpu, start := cpuTime(), time.Now()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f()
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "messages/s")
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
}

func benchCycle(b *testing.B, committers, kb int, settle bool) {
	ctx, s, body := context.Background(), benchSpool(b), incompressible(kb<<10)
	owner, err := s.Join(ctx, "node", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	leases, settled := make(chan *spool.Lease, 1000), make(chan error, 1)
	go func() { settled <- settleAll(ctx, s, owner, mail.Relayed, leases) }()
	if !settle {
		owner = spool.Owner{}
	}
	var n atomic.Int64
	measure(b, committers, func() {
		if lease := benchCommit(ctx, b, s, n.Add(1), body, owner); lease != nil {
			leases <- lease
		}
	})
	close(leases)
	if err := <-settled; err != nil {
		b.Fatal(err)
	}
}

func settleAll(ctx context.Context, s spool.Engine, owner spool.Owner, fate mail.Fate, leases <-chan *spool.Lease) error {
	for lease := range leases {
		batch := []spool.Settlement{became(lease, fate)}
		for more := true; more && len(batch) < 100; {
			select {
			case l, ok := <-leases:
				if more = ok; ok {
					batch = append(batch, became(l, fate))
				}
			default:
				more = false
			}
		}
		settled, err := s.Settle(ctx, owner, batch)
		for i := range settled {
			if err == nil {
				err = settled[i].Err
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func became(l *spool.Lease, fate mail.Fate) spool.Settlement {
	st := l.Recipients[0]
	st.Fate, st.Attempts, st.Due = fate, 1, time.Now().Add(-time.Minute)
	st.Last = mail.Outcome{Fate: fate, At: time.Now(), Host: "mx.sina.example", Reply: smtp.Replyf(451, smtp.EnhancedCode{4, 7, 1}, "greylisted")}
	return spool.Settlement{ID: l.Envelope.ID, Results: []spool.Standing{st}, Facts: []spool.Fact{{At: time.Now(), Data: make([]byte, 100)}}}
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rss is the resident memory in MB, on Linux.
func rss() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	var size, resident int64
	if err == nil {
		_, err = fmt.Sscan(string(b), &size, &resident)
	}
	if err != nil {
		return 0
	}
	return float64(resident*int64(os.Getpagesize())) / 1e6
}
