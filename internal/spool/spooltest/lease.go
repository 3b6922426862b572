package spooltest

import (
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

func leaseBornWithCommit(d *desk) {
	lease := d.arrive("bob@Sina.example", "eve@sohu.example")
	if len(lease.Recipients) != 2 || lease.Recipients[0].Destination != "sina.example" || lease.Recipients[0].Fate != 0 {
		d.Errorf("born: %+v", lease.Recipients)
	}
	d.takeNothing()
	lost := spool.Owner{Name: "node-1", Epoch: d.owner.Epoch + 100}
	id, none := d.commit(spool.Commit{Envelope: envelope("amy@sina.example"), For: lost}, text)
	if none != nil {
		d.Errorf("a lease for an owner that is not: %+v", none)
	}
	if got := d.takeOne().Envelope.ID; got != id {
		d.Errorf("leased %s, want %s", got, id)
	}
}

func twoOwners(d *desk) {
	for i := range 20 {
		d.accept(fmt.Sprintf("u%d@sina.example", i), fmt.Sprintf("u%d@sohu.example", i))
	}
	owners := []spool.Owner{d.owner, d.join("node-2")}
	seen := map[spool.Ref]bool{}
	for n := 0; n < 40; {
		before := n
		for _, o := range owners {
			for _, l := range d.takeFor(o, spool.Want{Recipients: 3}).Leases {
				for _, r := range l.Recipients {
					ref := spool.Ref{ID: l.Envelope.ID, Recipient: r.Recipient}
					if seen[ref] {
						d.Fatalf("%v is leased twice", ref)
					}
					seen[ref] = true
					n++
				}
			}
		}
		if n == before {
			d.Fatalf("only %d of 40 were leased", n)
		}
	}
	d.takeNothing()
	leased := true
	if got := len(d.all(spool.Filter{Leased: &leased})); got != 40 {
		d.Errorf("%d are listed as leased", got)
	}
}

func destinationShare(d *desk) {
	for i := range 10 {
		d.accept(fmt.Sprintf("u%d@sina.example", i))
	}
	d.accept("amy@sohu.example")
	want := spool.Want{Recipients: 100, PerDestination: 4}
	first := d.takeFor(d.owner, want)
	if got := names(first.Leases); len(first.Leases) != 5 {
		d.Fatalf("leased %s, want 4 of sina and 1 of sohu", got)
	}
	if again := d.takeFor(d.owner, want); len(again.Leases) != 0 {
		d.Errorf("above its share: %s", names(again.Leases))
	}
	for i := range first.Leases {
		if l := &first.Leases[i]; l.Recipients[0].Destination == "sina.example" {
			d.deferAll(l, time.Now().Add(time.Hour), "sina.example")
			break
		}
	}
	if again := d.takeFor(d.owner, want); len(again.Leases) != 1 {
		d.Errorf("one was settled, leased %s", names(again.Leases))
	}
	if other := d.takeFor(d.join("node-2"), want); len(other.Leases) != 4 {
		d.Errorf("the share of another owner: %s", names(other.Leases))
	}
}

func skipped(d *desk) {
	fresh, old := d.accept("bob@sina.example"), d.arrive("eve@sina.example")
	d.deferAll(old, time.Now(), "mx.sina.example")
	d.accept("amy@sohu.example")
	taken := d.takeFor(d.owner, spool.Want{Recipients: 10, Skip: []string{"sina.example", "mx.sina.example"}})
	if got := names(taken.Leases); got != "amy@sohu.example" {
		d.Errorf("leased %s", got)
	}
	taken = d.takeFor(d.owner, spool.Want{Recipients: 10, Skip: []string{"mx.sina.example"}})
	if len(taken.Leases) != 1 || taken.Leases[0].Envelope.ID != fresh {
		d.Errorf("leased %s", names(taken.Leases))
	}
	if got := d.takeOne().Envelope.ID; got != old.Envelope.ID {
		d.Errorf("leased %s", got)
	}
}

func deferredComesBack(d *desk) {
	lease := d.arrive("bob@sina.example")
	due := time.Now().Add(time.Minute)
	d.deferAll(lease, due, "mx.sina.example")
	taken := d.take()
	if len(taken.Leases) != 0 || taken.Next.IsZero() || taken.Next.After(due) {
		d.Fatalf("too early: %+v", taken)
	}
	items := d.all(spool.Filter{Place: spool.Waiting})
	if len(items) != 1 || !items[0].Standing.Due.Equal(due) || items[0].Standing.Destination != "mx.sina.example" {
		d.Fatalf("waiting: %+v", items)
	}
	d.order(spool.Filter{}, spool.Retry) // so that an engine in real time does not wait a minute
	d.deferAll(first(d.takeOne()), time.Now().Add(d.clock.second), "mx.sina.example")
	d.takeNothing()
	d.wait(d.clock.second)
	if got := d.takeOne().Recipients[0]; got.Attempts != 2 || got.Last.Reply == nil || got.Last.Host != "mx.sina.example" {
		d.Errorf("came back as %+v", got)
	}
	d.takeNothing()
}

func first(l spool.Lease) *spool.Lease { return &l }

func longestDueFirst(d *desk) {
	now := time.Now()
	for i, to := range []string{"c@sina.example", "a@sina.example", "d@sina.example", "b@sina.example"} {
		late := []time.Duration{2, 4, 1, 3}[i] * time.Minute
		d.deferAll(d.arrive(to), now.Add(-late), "sina")
	}
	d.deferAll(d.arrive("z@sohu.example"), now.Add(-5*time.Minute), "sohu")
	for _, want := range []string{"z@sohu.example", "a@sina.example", "b@sina.example", "c@sina.example", "d@sina.example"} {
		taken := d.takeFor(d.owner, spool.Want{Recipients: 1})
		if got := names(taken.Leases); got != want {
			d.Fatalf("leased %q, want %q", got, want)
		}
	}
}

func holdUntil(d *desk) {
	e := envelope("bob@sina.example")
	e.HoldUntil = time.Now().Add(2 * d.clock.second)
	_, lease := d.commit(spool.Commit{Envelope: e, For: d.owner}, text)
	if lease != nil {
		d.Errorf("leased before its time: %+v", lease)
	}
	d.takeNothing()
	d.wait(2 * d.clock.second)
	d.must(d.settle(first(d.takeOne()), mail.Relayed).Err)
}

func lapsedOwner(d *desk) {
	late := d.join("node-2")
	d.accept("bob@sina.example")
	lease := d.takeFor(late, spool.Want{Recipients: 10}).Leases[0]
	deferredToo := d.arrive("eve@sina.example")
	d.deferAll(deferredToo, time.Now(), "sina")
	other := d.takeFor(late, spool.Want{Recipients: 10}).Leases[0]
	d.wait(d.ttl() / 2)
	d.must(d.Beat(d.ctx, late))
	d.wait(d.ttl() / 2)
	d.takeNothing() // it beat in time
	d.wait(d.ttl())
	taken := d.take()
	if len(taken.Leases) != 2 {
		d.Fatalf("of a lapsed owner: %s", names(taken.Leases))
	}
	for _, l := range []*spool.Lease{&lease, &other} {
		s := spool.Settlement{ID: l.Envelope.ID, Results: []spool.Standing{became(l.Recipients[0], mail.Relayed)}, Facts: notes("late")}
		if got := d.settleFor(late, s); !errors.Is(got.Err, spool.ErrLeaseLost) {
			d.Errorf("a late result: %v", got.Err)
		}
		if got := d.said(l.Envelope.ID); got != "" {
			d.Errorf("recorded: %s", got)
		}
	}
	if err := d.Beat(d.ctx, late); !errors.Is(err, spool.ErrLeaseLost) {
		d.Errorf("a late beat: %v", err)
	}
	if _, err := d.Lease(d.ctx, late, spool.Want{Recipients: 1}); !errors.Is(err, spool.ErrLeaseLost) {
		d.Errorf("a late lease: %v", err)
	}
	for i := range taken.Leases {
		d.suspectUntilTried(&taken.Leases[i])
	}
}

// suspectUntilTried holds that a lease is of one recipient of whom nobody knows whether the
// owner before has tried him, and who is like any other again when he was tried.
func (d *desk) suspectUntilTried(l *spool.Lease) {
	d.Helper()
	ref := spool.Ref{ID: l.Envelope.ID, Recipient: l.Recipients[0].Recipient}
	if !l.Recipients[0].Suspect || !d.all(spool.Filter{ID: ref.ID})[0].Standing.Suspect {
		d.Errorf("not suspect: %+v", l.Recipients)
	}
	d.must(d.Release(d.ctx, d.owner, []spool.Ref{ref}))
	again := d.takeOne()
	if !again.Recipients[0].Suspect {
		d.Error("that it was given back took the suspicion away")
	}
	d.deferAll(&again, time.Now(), "sina")
	if once := d.takeOne(); once.Recipients[0].Suspect {
		d.Error("still suspect after an attempt")
	}
}

func joinsAgain(d *desk) {
	lease := d.arrive("bob@sina.example")
	former := d.owner
	d.owner = d.join("node-1")
	if d.owner.Epoch <= former.Epoch {
		d.Errorf("epoch %d after %d", d.owner.Epoch, former.Epoch)
	}
	s := spool.Settlement{ID: lease.Envelope.ID, Results: []spool.Standing{became(lease.Recipients[0], mail.Relayed)}}
	if got := d.settleFor(former, s); !errors.Is(got.Err, spool.ErrLeaseLost) {
		d.Errorf("of a former self: %v", got.Err)
	}
	again := d.takeOne()
	d.suspectUntilTried(&again)
}

func releasedAgain(d *desk) {
	fresh, old := d.arrive("bob@sina.example"), d.arrive("eve@sohu.example")
	d.deferAll(old, time.Now().Add(-time.Second), "sohu")
	again := d.takeOne()
	refs := []spool.Ref{{ID: fresh.Envelope.ID}, {ID: again.Envelope.ID}, {ID: mail.ID{1}}}
	d.must(d.Release(d.ctx, d.join("node-2"), refs)) // not its own
	d.takeNothing()
	d.must(d.Release(d.ctx, d.owner, refs))
	taken := d.take()
	if got := names(taken.Leases); got != "bob@sina.example eve@sohu.example" {
		d.Fatalf("leased %s", got)
	}
	if got := taken.Leases[1].Recipients[0]; got.Attempts != 1 {
		d.Errorf("eve stands at %+v", got)
	}
}

func manyFresh(d *desk) {
	const n = 2000
	for i := range n {
		d.accept(fmt.Sprintf("u%d@d%d.example", i, i%50))
	}
	seen := map[mail.ID]bool{}
	for len(seen) < n {
		taken := d.takeFor(d.owner, spool.Want{Recipients: 300, PerDestination: 30, Skip: []string{"d3.example"}})
		if len(taken.Leases) == 0 {
			break
		}
		for i := range taken.Leases {
			seen[taken.Leases[i].Envelope.ID] = true
			d.must(d.settle(&taken.Leases[i], mail.Relayed).Err)
			d.must(d.Beat(d.ctx, d.owner)) // in real time it takes a while
		}
	}
	if want := n - n/50; len(seen) != want {
		d.Errorf("%d of %d were found", len(seen), want)
	}
	if rest := d.take(); len(rest.Leases) != n/50 {
		d.Errorf("%d of the skipped destination", len(rest.Leases))
	}
}
