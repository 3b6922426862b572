package pebblespool_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/smtp"
)

// BenchmarkFirstPage asks for the first page of what filters choose from POSTHOUSE_BACKLOG
// deferred messages, 20,000 unless it says another number. The last of them came when
// late.example went away: a twentieth, all in one piece.
func BenchmarkFirstPage(b *testing.B) {
	n, _ := strconv.Atoi(os.Getenv("POSTHOUSE_BACKLOG"))
	n = cmp.Or(n, 20_000)
	s, err := pebblespool.Open(b.TempDir(), pebblespool.Options{MinFree: -1, Ballast: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	fillLate(b, s, n)
	for _, c := range []struct {
		name   string
		filter spool.Filter
	}{
		{"all", spool.Filter{}},
		{"common destination", spool.Filter{Destination: "d7.sina.example"}},
		{"late destination", spool.Filter{Destination: "late.example"}},
		{"late destinations", spool.Filter{Destination: "late.*"}},
		{"waiting for the late destination", spool.Filter{Destination: "late.example", Place: spool.Waiting}},
		{"late domain", spool.Filter{To: "*@late.example"}},
		{"late sender", spool.Filter{From: "late@sohu.example"}},
		{"late reply", spool.Filter{Reply: "is late"}},
		{"held", spool.Filter{Place: spool.Held}},
		{"late subject", spool.Filter{Subject: "*late*"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			calls, cpu := 0, cpuTime()
			for range b.N {
				q, found := spool.Query{Filter: c.filter, Limit: 50}, 0
				for more := true; more && found < 50; {
					page, err := s.List(context.Background(), q)
					if err != nil {
						b.Fatal(err)
					}
					q.After, more, calls, found = page.Next, page.More, calls+1, found+len(page.Items)
				}
			}
			b.ReportMetric(float64(calls)/float64(b.N), "calls/op")
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/1000/float64(b.N), "ms-cpu/op")
		})
	}
}

// fillLate defers n messages, a thousand at a time.
func fillLate(b *testing.B, s spool.Engine, n int) {
	ctx, owner := context.Background(), joined(b, s)
	for from := 0; from < n; from += 1000 {
		batch := make([]spool.Settlement, min(1000, n-from))
		var all sync.WaitGroup
		for first := range 20 { // they share syncs
			all.Go(func() {
				for k := first; k < len(batch); k += 20 {
					batch[k] = deferLate(ctx, b, s, owner, from+k, from+k >= n-n/20)
				}
			})
		}
		all.Wait()
		if b.Failed() {
			b.FailNow()
		}
		settled, err := s.Settle(ctx, owner, batch)
		if err != nil || settled[0].Err != nil {
			b.Fatal(err)
		}
	}
}

// deferLate commits the ith message, and returns what becomes of it.
func deferLate(ctx context.Context, b *testing.B, s spool.Engine, owner spool.Owner, i int, late bool) spool.Settlement {
	env := benchEnvelope(int64(i))
	if late {
		env = envelopeTo(fmt.Sprintf("user%d@late.example", i))
		env.From, _ = smtp.ParseMailbox("late@sohu.example")
		env.Subject = "too late"
	}
	d, err := s.Begin(ctx, 0)
	if err != nil {
		b.Error(err)
		return spool.Settlement{}
	}
	_, _ = d.Write(make([]byte, 300))
	lease, err := d.Commit(ctx, spool.Commit{Envelope: env, For: owner})
	if err != nil {
		b.Error(err)
		return spool.Settlement{}
	}
	one := became(lease, mail.Deferred)
	if late {
		one.Results[0].Last.Reply = smtp.Replyf(451, smtp.EnhancedCode{4, 4, 1}, "everything is late")
	}
	return one
}
