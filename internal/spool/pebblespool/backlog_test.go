package pebblespool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// TestBacklog measures a spool with POSTHOUSE_BACKLOG deferred messages of 4 KB:
// the rate of accepting beside an empty one; the time to open again, after a crash
// and after a clean end, to the first lease and to the first page of a list; and
// resident memory.
func TestBacklog(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("POSTHOUSE_BACKLOG"))
	if err != nil {
		t.Skip("POSTHOUSE_BACKLOG is not a number of messages")
	}
	ctx, place, body := context.Background(), t.TempDir(), incompressible(4<<10)
	s := openAt(t, place)
	owner := joined(t, s)
	empty, emptyCPU := acceptRate(ctx, t, s, 20_000, body, owner, mail.Relayed)
	start := time.Now()
	acceptRate(ctx, t, s, n, body, owner, mail.Deferred)
	t.Logf("%d messages accepted and deferred in %v", n, time.Since(start))
	full, fullCPU := acceptRate(ctx, t, s, 20_000, body, owner, mail.Relayed)
	t.Logf("accepted and relayed: %.0f/s empty, %.0f/s with the backlog (%.2f); %v and %v of CPU each", empty, full, full/empty, emptyCPU, fullCPU)
	t.Logf("%.0f MB resident", rss())
	s.Break(errors.New("the machine is gone"))
	if err := s.Close(); !errors.Is(err, spool.ErrFailed) {
		t.Fatal(err)
	}
	debug.FreeOSMemory()
	t.Log("after a crash:")
	reopen(ctx, t, place)
	debug.FreeOSMemory()
	t.Log("after a clean end:")
	reopen(ctx, t, place)
}

func openAt(t *testing.T, place string) *pebblespool.Spool {
	s, err := pebblespool.Open(place, pebblespool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func joined(t testing.TB, s spool.Engine) spool.Owner {
	owner, err := s.Join(context.Background(), "node", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return owner
}

// acceptRate has 20 sessions commit n messages, settles each as fate, and returns
// commits a second and the CPU time of each.
func acceptRate(ctx context.Context, t *testing.T, s spool.Engine, n int, body []byte, owner spool.Owner, fate mail.Fate) (float64, time.Duration) {
	leases, settled := make(chan *spool.Lease, 1000), make(chan error, 1)
	go func() { settled <- settleAll(ctx, s, owner, fate, leases) }()
	var i atomic.Int64
	var all sync.WaitGroup
	start, cpu := time.Now(), cpuTime()
	for range 20 {
		all.Go(func() {
			for k := i.Add(1); k <= int64(n); k = i.Add(1) {
				leases <- benchCommit(ctx, t, s, k, body, owner)
			}
		})
	}
	all.Wait()
	close(leases)
	if err := <-settled; err != nil {
		t.Fatal(err)
	}
	return float64(n) / time.Since(start).Seconds(), (cpuTime() - cpu) / time.Duration(n)
}

func reopen(ctx context.Context, t *testing.T, place string) {
	start := time.Now()
	s := openAt(t, place)
	defer s.Close()
	opened := time.Since(start)
	owner := joined(t, s)
	taken, err := s.Lease(ctx, owner, spool.Want{Recipients: 1000, PerDestination: 50})
	if err != nil {
		t.Fatal(err)
	}
	leased := time.Since(start)
	page, err := s.List(ctx, spool.Query{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("opened after %v, %d leased after %v, %d listed after %v, %.0f MB resident",
		opened, len(taken.Leases), leased, len(page.Items), time.Since(start), rss())
	for _, f := range []spool.Filter{{Destination: "d7.sina.example"}, {Destination: "nowhere.example"}, {Place: spool.Held}, {Place: spool.Fresh}} {
		start = time.Now()
		page, err := s.List(ctx, spool.Query{Filter: f, Limit: 50})
		t.Logf("%v %q: %d listed after %v, more: %t, %v", f.Place, f.Destination, len(page.Items), time.Since(start), page.More, err)
	}
	start = time.Now()
	total := len(taken.Leases)
	for len(taken.Leases) > 0 && total < 50_000 {
		if taken, err = s.Lease(ctx, owner, spool.Want{Recipients: 1000}); err != nil {
			t.Fatal(err)
		}
		total += len(taken.Leases)
	}
	t.Logf("a window of %d leased in %v, %.0f MB resident", total, time.Since(start), rss())
	st, err := s.Stats(ctx)
	t.Log(fmt.Sprintf("%+v", st), err)
}
