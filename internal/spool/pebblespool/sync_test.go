package pebblespool_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// TestSyncsAreShared: those who come while the disk is busy share the next sync, which
// waits for the others of a crowd; but nobody is kept waiting for drafts that are not
// completed, or were given up.
func TestSyncsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, vfs.NewMem())
		defer s.Close()
		c := crowd{t: t, s: s}
		c.begin(20)

		c.together(1, 1, 0) // 19 more are open, but nobody has joined the sync before
		c.together(2, 2, 0)
		c.together(1, 1, time.Millisecond) // it was worth while, so this one waits; in vain
		c.together(1, 1, 0)
		c.together(8, 8, 0)
		for range 2 {
			c.take().Abort()
		}
		c.together(5, 5, 0) // the last: there is nobody to wait for
	})
}

// TestFewDoNotWait: of seven nobody waits for another.
func TestFewDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, vfs.NewMem())
		defer s.Close()
		c := crowd{t: t, s: s}
		c.begin(7)
		c.together(2, 2, 0)
		c.together(1, 1, 0)
	})
}

// TestTheCrowdIsComplete: a sync that waits begins when the last draft is committed or given up.
func TestTheCrowdIsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, vfs.NewMem())
		defer s.Close()
		c := crowd{t: t, s: s}
		c.begin(12)
		c.together(2, 2, 0)
		others := c.drafts[1:]
		c.drafts = c.drafts[:1]
		time.AfterFunc(time.Millisecond/4, func() {
			for _, d := range others {
				d.Abort()
			}
		})
		c.together(1, 1, time.Millisecond/4)
	})
}

// crowd are drafts that are open.
type crowd struct {
	t      *testing.T
	s      *pebblespool.Spool
	drafts []spool.Draft
}

func (c *crowd) begin(drafts int) {
	for range drafts {
		d, err := c.s.Begin(context.Background(), 0)
		if err != nil {
			c.t.Fatal(err)
		}
		c.drafts = append(c.drafts, d)
	}
}

func (c *crowd) take() spool.Draft {
	d := c.drafts[0]
	c.drafts = c.drafts[1:]
	return d
}

// together commits some while the disk is busy, and looks how many shared the next
// sync, and how long that took once the disk was free.
func (c *crowd) together(drafts, shared int, took time.Duration) {
	c.t.Helper()
	free := c.s.HoldSyncs()
	var all sync.WaitGroup
	for range drafts {
		d := c.take()
		all.Go(func() {
			if _, err := d.Commit(context.Background(), spool.Commit{Envelope: envelopeTo("bob@sina.example")}); err != nil {
				c.t.Error(err)
			}
		})
	}
	synctest.Wait()
	start := time.Now()
	free()
	all.Wait()
	if got := time.Since(start); got != took || c.s.Shared() != shared {
		c.t.Errorf("%d with %d more open: %d shared a sync after %v, want %d after %v", drafts, len(c.drafts), c.s.Shared(), got, shared, took)
	}
}
