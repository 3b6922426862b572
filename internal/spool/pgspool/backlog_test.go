package pgspool_test

import (
	"context"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// TestBacklog fills a spool, and looks what it costs to work with then. It runs only if asked for:
//
//	POSTHOUSE_BACKLOG=1000000 go test -run Backlog -timeout 1h -v ./internal/spool/pgspool
func TestBacklog(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("POSTHOUSE_BACKLOG"))
	if n == 0 {
		t.Skip("POSTHOUSE_BACKLOG says how many messages")
	}
	ctx := context.Background()
	server, name := database(t)
	s := open(t, server.DSN(name), options("node-1"))
	owner, err := s.Join(ctx, "node-1", time.Hour)
	check(t, err)
	body := incompressible(4 << 10)
	fill := func(many int) {
		var next atomic.Int64
		var all sync.WaitGroup
		cpu, servers, start := cpuTime(), server.CPU(), time.Now()
		for range 100 {
			all.Go(func() {
				for i := next.Add(1); i <= int64(many); i = next.Add(1) {
					benchCommit(ctx, t, s, i, body, spool.Owner{})
				}
			})
		}
		all.Wait()
		t.Logf("%d messages: %.0f/s, %d µs of CPU here and %d µs in PostgreSQL each", many, float64(many)/time.Since(start).Seconds(),
			(cpuTime()-cpu).Microseconds()/int64(many), (server.CPU()-servers).Microseconds()/int64(many))
	}
	took := func(what string, f func()) {
		start := time.Now()
		f()
		t.Logf("%s: %v", what, time.Since(start).Round(100*time.Microsecond))
	}
	lease := func(w spool.Want) (taken spool.Taken) {
		took("lease", func() { taken, err = s.Lease(ctx, owner, w); check(t, err) })
		t.Logf("  %d messages, more: %v", len(taken.Leases), taken.More)
		return taken
	}
	fill(5000)
	fill(n)
	fill(5000)
	want := spool.Want{Recipients: 1000, PerDestination: 100}
	for range 5 {
		taken := lease(want)
		var batch []spool.Settlement
		for i := range taken.Leases {
			st := taken.Leases[i].Recipients[0]
			st.Fate, st.Attempts, st.Due = mail.Deferred, 1, time.Now()
			batch = append(batch, spool.Settlement{ID: taken.Leases[i].Envelope.ID, Results: []spool.Standing{st}})
		}
		took("defer them", func() { _, err = s.Settle(ctx, owner, batch); check(t, err) })
	}
	want.Skip = []string{"d1.sina.example"}
	lease(want)
	took("stats", func() { _, err = s.Stats(ctx); check(t, err) })
	took("destinations", func() { _, err = s.Destinations(ctx, "", 100); check(t, err) })
	took("a page", func() { _, err = s.List(ctx, spool.Query{Limit: 50}); check(t, err) })
	took("a page of one destination", func() {
		_, err = s.List(ctx, spool.Query{Filter: spool.Filter{Destination: "d7.sina.example"}, Limit: 50})
		check(t, err)
	})
}
