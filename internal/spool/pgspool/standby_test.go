package pgspool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/pgtest"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pgspool"
)

// long skips a test of two servers that sync where only short tests are wanted.
func long(t testing.TB) {
	t.Helper()
	if os.Getenv("POSTHOUSE_TEST_ALL") == "" {
		t.Skip("two servers: only in the long run (POSTHOUSE_TEST_ALL=1)")
	}
}

// try commits a message and returns what came of it.
func try(ctx context.Context, s spool.Engine, to string) (mail.ID, error) {
	d, err := s.Begin(ctx, 0)
	if err != nil {
		return mail.ID{}, err
	}
	if _, err = io.WriteString(d, "It rains.\r\n"); err != nil {
		return mail.ID{}, err
	}
	_, err = d.Commit(ctx, spool.Commit{Envelope: envelope(to)})
	return d.ID(), err
}

// TestWithoutItsStandby nothing is acknowledged: not by a commit that was under way, not by one whose
// wait the database is told to end, and no draft begins until the standby is back.
func TestWithoutItsStandby(t *testing.T) {
	long(t)
	ctx := context.Background()
	c := newCluster(t)
	s := open(t, c.dsn, pgspool.Options{Node: "node-1", Timeout: 5 * time.Second, Heartbeat: time.Hour})
	if _, err := try(ctx, s, "bob@sina.example"); err != nil {
		t.Fatal(err)
	}
	c.standby.Stop()
	c.primary.Alone(t)
	if _, err := try(ctx, s, "eve@sina.example"); !errors.Is(err, spool.ErrInDoubt) {
		t.Errorf("a commit that waited in vain: %v", err)
	}
	s.Feel()
	if _, err := s.Begin(ctx, 0); err == nil || errors.Is(err, spool.ErrFull) || errors.Is(err, spool.ErrFailed) {
		t.Errorf("a draft: %v", err)
	}
	if st, err := s.Stats(ctx); err != nil || !st.Refusing {
		t.Errorf("%+v, %v", st, err)
	}
	c.standby.Start(t)
	c.primary.InStep(t)
	s.Feel()
	if _, err := try(ctx, s, "bob@sina.example"); err != nil {
		t.Errorf("with its standby back: %v", err)
	}
	c.standby.Stop()
	c.primary.Alone(t)
	ended := make(chan error)
	go func() {
		_, err := try(ctx, s, "ann@sina.example")
		ended <- err
	}()
	pgtest.Wait(t, "a commit waits for the standby", func() bool {
		return c.primary.Count(t, "mail", "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") > 0
	})
	if err := <-ended; !errors.Is(err, spool.ErrInDoubt) {
		t.Errorf("a commit whose wait was ended: %v", err)
	}
	c.standby.Start(t) // else the cleanup would wait
	c.primary.InStep(t)
}

// TestTheStandbyHearsOfItAfterAll: a settlement whose wait for the standby was ended can be seen, and is not
// believed before the standby has it.
func TestTheStandbyHearsOfItAfterAll(t *testing.T) {
	long(t)
	c := newCluster(t)
	n := &node{Spool: open(t, c.dsn, pgspool.Options{Node: "node-1", Timeout: 2 * time.Minute, Heartbeat: time.Hour}), ctx: t.Context(), t: t}
	var err error
	n.owner, err = n.Join(n.ctx, "node-1", guard)
	check(t, err)
	lease, _ := n.accept(n.owner, "It rains.\r\n", "bob@sina.example")
	c.standby.Stop()
	c.primary.Alone(t)
	ended := make(chan error, 1)
	go func() {
		_, err := n.Settle(n.ctx, n.owner, []spool.Settlement{relayed(lease)})
		ended <- err
	}()
	const waits = " FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = "
	pgtest.Wait(t, "it waits for the standby", func() bool {
		return c.primary.Count(t, "mail", "SELECT count(pg_cancel_backend(pid))"+waits+"'COMMIT'") > 0
	})
	pgtest.Wait(t, "it can be seen", func() bool { return c.primary.Count(t, "mail", "SELECT count(*) FROM posthouse.recipient") == 0 })
	pgtest.Wait(t, "it waits again", func() bool { return c.primary.Count(t, "mail", "SELECT count(*)"+waits+"'commit'") > 0 })
	select {
	case err := <-ended:
		t.Errorf("it ended without its standby: %v", err)
	default:
	}
	c.standby.Start(t)
	c.primary.InStep(t)
	if err := <-ended; err != nil {
		t.Errorf("with its standby back: %v", err)
	}
	whole(t, n.Spool)
	check(t, n.Close()) // else it would be closed after the standby has ended, and wait
}

// TestFailover kills the primary under load and promotes the standby. What was acknowledged is
// there, once; nothing is acknowledged before the new primary has a standby of its own.
func TestFailover(t *testing.T) {
	long(t)
	ctx := context.Background()
	c := newCluster(t)
	s := open(t, c.dsn, pgspool.Options{Node: "node-1", Timeout: 5 * time.Second, Heartbeat: 100 * time.Millisecond})
	owner, err := s.Join(ctx, "node-1", 10*time.Minute)
	check(t, err)
	stop := make(chan struct{})
	var mu sync.Mutex
	said := map[mail.ID]error{}
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id, err := try(ctx, s, fmt.Sprintf("u%d@d%d.example", i, w))
				if id != (mail.ID{}) {
					mu.Lock()
					said[id] = err
					mu.Unlock()
				}
			}
		})
	}
	acknowledged := func(more int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			n := 0
			for _, err := range said {
				if err == nil {
					n++
				}
			}
			return n >= more
		}
	}
	pgtest.Wait(t, "mail comes in", acknowledged(200))
	c.primary.Kill(t)
	c.standby.Promote(t)
	if _, err := s.Begin(ctx, 0); err == nil {
		pgtest.Wait(t, "a primary without a standby takes nothing", func() bool { _, err := s.Begin(ctx, 0); return err != nil })
	}
	mu.Lock()
	before := len(said)
	mu.Unlock()
	c.standby.Standby(t)
	pgtest.Wait(t, "mail comes in again", acknowledged(before+100))
	close(stop)
	all.Wait()
	there := map[mail.ID]int{}
	for q := (spool.Query{}); ; {
		page, err := s.List(ctx, q)
		check(t, err)
		for i := range page.Items {
			there[page.Items[i].Envelope.ID]++
		}
		if q.After = page.Next; !page.More {
			break
		}
	}
	lost, doubtful := 0, 0
	for id, err := range said {
		switch {
		case err == nil && there[id] != 1:
			lost++
		case errors.Is(err, spool.ErrInDoubt):
			doubtful++
		case err != nil && there[id] > 0:
			t.Errorf("%s is there, and it was said: %v", id, err)
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged messages are lost", lost, len(said))
	}
	t.Logf("%d messages, %d in doubt, %d there", len(said), doubtful, len(there))
	if err := s.Beat(ctx, owner); err != nil {
		t.Errorf("the owner lives on: %v", err)
	}
	whole(t, s)
}
