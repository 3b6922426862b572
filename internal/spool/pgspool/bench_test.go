package pgspool_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pgspool"
)

// The benchmarks start a primary and a synchronous standby of their own, both of which sync: TMPDIR
// says where. They report the CPU time of this process beside that of the servers.
//
//	go test -run ^$ -bench . ./internal/spool/pgspool

func benchSpool(b *testing.B, nodes int) (*cluster, []*pgspool.Spool) {
	c := newCluster(b)
	var list []*pgspool.Spool
	for i := range nodes {
		s, err := pgspool.Open(context.Background(), c.dsn, pgspool.Options{Node: fmt.Sprint("node-", i+1)})
		check(b, err)
		b.Cleanup(func() { s.Close() })
		list = append(list, s)
	}
	return c, list
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
	check(b, err)
	_, err = d.Write(body)
	check(b, err)
	lease, err := d.Commit(ctx, spool.Commit{
		Envelope: envelope(fmt.Sprintf("user%d@d%d.sina.example", i, i%1000)), Prepend: []byte("Received: from x by y; now\r\n"),
		Facts: []spool.Fact{{At: time.Now(), Data: body[:200]}}, For: owner,
	})
	check(b, err)
	return lease
}

// BenchmarkCommit is durable commits alone; the backlog grows.
func BenchmarkCommit(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		for _, committers := range []int{20, 100} {
			b.Run(fmt.Sprintf("%dnodes/%dx4KB", nodes, committers), func(b *testing.B) { benchCycle(b, nodes, committers, 4, false) })
		}
	}
}

// BenchmarkCycle is a durable commit with its lease, and a settlement that removes it; settlements
// come in batches, as dispatch makes them.
func BenchmarkCycle(b *testing.B) {
	for _, committers := range []int{20, 100} {
		b.Run(fmt.Sprintf("1nodes/%dx4KB", committers), func(b *testing.B) { benchCycle(b, 1, committers, 4, true) })
	}
}

func benchCycle(b *testing.B, nodes, committers, kb int, settle bool) {
	ctx := context.Background()
	c, list := benchSpool(b, nodes)
	body := incompressible(kb << 10)
	owners := make([]spool.Owner, nodes)
	for i, s := range list {
		var err error
		owners[i], err = s.Join(ctx, fmt.Sprint("node-", i+1), time.Hour)
		check(b, err)
	}
	leases := make(chan *spool.Lease, 10_000)
	var settlers sync.WaitGroup
	if settle {
		settlers.Go(func() { settleAll(b, list[0], owners[0], leases) })
	}
	var n atomic.Int64
	cpu, servers := cpuTime(), c.cpu()
	b.ResetTimer()
	var all sync.WaitGroup
	for w := range committers {
		all.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				lease := benchCommit(ctx, b, list[w%nodes], i, body, owners[w%nodes])
				if settle {
					leases <- lease
				}
			}
		})
	}
	all.Wait()
	close(leases)
	settlers.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64((c.cpu()-servers).Microseconds())/float64(b.N), "servers-µs/op")
}

func settleAll(b *testing.B, s *pgspool.Spool, owner spool.Owner, leases <-chan *spool.Lease) {
	for lease := range leases {
		batch := []spool.Settlement{relayed(lease)}
		for more := true; more && len(batch) < 200; {
			select {
			case next, open := <-leases:
				if more = open; open {
					batch = append(batch, relayed(next))
				}
			default:
				more = false
			}
		}
		settled, err := s.Settle(context.Background(), owner, batch)
		check(b, err)
		for i := range settled {
			check(b, settled[i].Err)
		}
	}
}

func relayed(l *spool.Lease) spool.Settlement {
	t := spool.Settlement{ID: l.Envelope.ID, Facts: []spool.Fact{{At: time.Now(), Data: make([]byte, 150)}}}
	for _, st := range l.Recipients {
		st.Fate, st.Attempts = mail.Relayed, 1
		t.Results = append(t.Results, st)
	}
	return t
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
