package pebblespool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// TestWhatPassesTheSieve: lists by place and destination have what a look at everything
// finds, however they are paged: while some recipients are held, and after all are released.
func TestWhatPassesTheSieve(t *testing.T) {
	ctx := context.Background()
	s := mustOpen(t, vfs.NewMem())
	defer s.Close()
	owner, random := joined(t, s), rand.New(rand.NewPCG(1, 2))
	for range 120 {
		mixedMessage(t, s, owner, random)
	}
	compareLists(t, s)
	held := false
	for _, it := range listed(t, s, spool.Query{}) {
		held = held || it.Place == spool.Held
	}
	if !held {
		t.Error("nothing was held: the first half compared nothing")
	}
	if _, err := s.Alter(ctx, spool.Query{}, spool.Order{Verb: spool.Free, At: time.Now(), By: "olga"}, nil); err != nil {
		t.Fatal(err)
	}
	compareLists(t, s)
}

// mixedMessage commits a message to up to three recipients, and has something become of
// each: nothing, delivered, deferred, deferred under another name, or held.
func mixedMessage(t *testing.T, s *pebblespool.Spool, owner spool.Owner, random *rand.Rand) {
	ctx := context.Background()
	d, err := s.Begin(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	var env mail.Envelope
	for i := range 1 + random.IntN(3) {
		one := envelopeTo(fmt.Sprintf("user%d@d%d.example", i, random.IntN(4)))
		env.From, env.To = one.From, append(env.To, one.To...)
	}
	lease, err := d.Commit(ctx, spool.Commit{Envelope: env, For: owner})
	if err != nil {
		t.Fatal(err)
	}
	settlement := spool.Settlement{ID: d.ID()}
	for _, r := range lease.Recipients {
		switch r.Fate, r.Due = mail.Deferred, time.Now().Add(time.Duration(random.IntN(1000))*time.Minute); random.IntN(5) {
		case 0:
			continue
		case 1:
			r.Fate = mail.Relayed
		case 2:
			r.Destination = "Hop.example"
		}
		settlement.Results = append(settlement.Results, r)
	}
	if len(settlement.Results) > 0 {
		results, err := s.Settle(ctx, owner, []spool.Settlement{settlement})
		if err != nil || results[0].Err != nil {
			t.Fatal(err, results)
		}
	}
	if random.IntN(8) == 0 {
		_, err := s.Alter(ctx, spool.Query{Filter: spool.Filter{ID: d.ID()}}, spool.Order{Verb: spool.Hold, At: time.Now(), By: "olga"}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// compareLists holds lists against a look at everything.
func compareLists(t *testing.T, s *pebblespool.Spool) {
	t.Helper()
	all := listed(t, s, spool.Query{})
	for _, place := range []spool.Place{0, spool.Fresh, spool.Waiting, spool.Held} {
		for _, destination := range []string{"", "d1.example", "D2.EXAMPLE", "d*.example", "hop.example", "*", "nowhere.example"} {
			for _, limit := range []int{1, 7, 0} {
				q := spool.Query{Filter: spool.Filter{Place: place, Destination: destination}, Limit: limit}
				var want []spool.Ref
				for _, it := range all {
					if q.Filter.Match(&it) {
						want = append(want, it.Ref())
					}
				}
				var got []spool.Ref
				for _, it := range listed(t, s, q) {
					got = append(got, it.Ref())
				}
				if !slices.Equal(got, want) {
					t.Errorf("%v, destination %q, %d a page: %d found, want %d", place, destination, limit, len(got), len(want))
				}
			}
		}
	}
}

// listed are the items of a query, page by page.
func listed(t *testing.T, s spool.Engine, q spool.Query) (items []spool.Item) {
	t.Helper()
	for {
		page, err := s.List(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page.Items...)
		if q.After = page.Next; !page.More {
			return items
		}
	}
}
