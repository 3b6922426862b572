package spooltest

import (
	"errors"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

func crashKeeps(d *desk) {
	d.need(d.subject.Crash != nil)
	failed, kept := d.arrive("bob@sina.example"), d.arrive("eve@sohu.example")
	var big []mail.ID
	for _, size := range sizes {
		id, _ := d.commit(spool.Commit{Envelope: envelope("big@sina.example"), Facts: notes("arrived")}, strings.Repeat("x", size))
		big = append(big, id)
	}
	d.order(spool.Filter{ID: kept.Envelope.ID}, spool.Hold)
	rep := d.report(0)
	d.must(d.settleOne(spool.Settlement{
		ID: failed.Envelope.ID, Reports: []spool.Report{rep}, Facts: notes("failed"),
		Results: []spool.Standing{became(failed.Recipients[0], mail.Failed)},
	}).Err)
	d.draft("half a message")
	d.crash()
	if got := d.recipients(spool.Filter{To: "*@sohu.example"}); got != "ann@sohu.example eve@sohu.example" {
		d.Errorf("there: %s", got)
	}
	if got := d.recipients(spool.Filter{Place: spool.Held}); got != "eve@sohu.example" {
		d.Errorf("held: %s", got)
	}
	if got := d.said(failed.Envelope.ID); got != "failed" {
		d.Errorf("the journal: %s", got)
	}
	for i, id := range big {
		if got, err := d.content(id); err != nil || len(got) != sizes[i] || d.said(id) != "arrived" {
			d.Errorf("%d octets: %d came back, %v, %q", sizes[i], len(got), err, d.said(id))
		}
	}
	if st, err := d.Stats(d.ctx); err != nil || st.Messages != int64(len(big))+2 || st.Leased != 0 {
		d.Errorf("%+v, %v", st, err)
	}
	if old := d.take(); len(old.Leases) != len(big)+1 {
		d.Errorf("leased %s", names(old.Leases))
	}
}

func crashAfterLag(d *desk) {
	d.need(d.subject.Crash != nil)
	relayed, later := d.arrive("bob@sina.example"), d.arrive("eve@sohu.example")
	d.must(d.settle(relayed, mail.Relayed, "relayed").Err)
	due := time.Now().Add(time.Hour)
	d.deferAll(later, due, "sohu")
	version, err := d.PutState(d.ctx, spool.State{Room: "grey", Key: "k", Value: []byte("v")}, 0)
	d.must(err)
	time.Sleep(spool.Lag + spool.Lag/2)
	d.crash()
	items := d.all(spool.Filter{})
	if len(items) != 1 || !items[0].Standing.Due.Equal(due) || items[0].Standing.Suspect {
		d.Errorf("there: %+v", items)
	}
	if got := d.said(relayed.Envelope.ID); got != "relayed" {
		d.Errorf("the journal: %s", got)
	}
	if st, err := d.State(d.ctx, "grey", "k"); err != nil || st.Version != version {
		d.Errorf("the state: %+v, %v", st, err)
	}
}

func crashSuspect(d *desk) {
	d.need(d.subject.Crash != nil)
	former := d.owner
	lease, soon := d.arrive("bob@sina.example"), d.arrive("eve@sohu.example")
	tomorrow := d.arrive("amy@sohu.example")
	d.deferAll(soon, time.Now().Add(-time.Second), "sohu")
	d.deferAll(tomorrow, time.Now().Add(24*time.Hour), "sohu")
	d.takeOne()
	time.Sleep(2 * spool.Lag)
	d.crash()
	if got := d.recipients(spool.Filter{Suspect: true}); got != "bob@sina.example eve@sohu.example" {
		d.Errorf("suspect: %s", got)
	}
	if err := d.Beat(d.ctx, former); !errors.Is(err, spool.ErrLeaseLost) {
		d.Errorf("an owner of before: %v", err)
	}
	if d.owner.Epoch <= former.Epoch {
		d.Errorf("epoch %d after %d", d.owner.Epoch, former.Epoch)
	}
	taken := d.take()
	if len(taken.Leases) != 2 {
		d.Fatalf("leased %s", names(taken.Leases))
	}
	for i := range taken.Leases {
		if !taken.Leases[i].Recipients[0].Suspect {
			d.Errorf("not suspect: %+v", taken.Leases[i])
		}
	}
	d.must(d.Release(d.ctx, d.owner, []spool.Ref{{ID: lease.Envelope.ID}}))
	d.order(spool.Filter{ID: lease.Envelope.ID}, spool.Hold)
	d.order(spool.Filter{ID: lease.Envelope.ID}, spool.Free)
	again := d.takeOne()
	if !again.Recipients[0].Suspect {
		d.Error("an order took the suspicion away")
	}
	d.deferAll(&again, time.Now(), "sina")
	if d.takeOne().Recipients[0].Suspect {
		d.Error("still suspect after an attempt")
	}
	young := d.accept("new@sina.example")
	if d.all(spool.Filter{ID: young})[0].Standing.Suspect {
		d.Error("a new one is suspect")
	}
}

func crashAfterOrder(d *desk) {
	d.need(d.subject.Crash != nil)
	lease := d.arrive("bob@sina.example")
	d.deferAll(lease, time.Now(), "sina")
	d.takeOne()
	time.Sleep(2 * d.clock.second)
	d.order(spool.Filter{}, spool.Retry) // due only now, but it may be on its way since before
	d.crash()
	if got := d.recipients(spool.Filter{Suspect: true}); got != "bob@sina.example" {
		d.Errorf("suspect: %q", got)
	}
}

func reopenClean(d *desk) {
	d.need(d.subject.Reopen != nil)
	lease := d.arrive("eve@sohu.example")
	id := d.accept("bob@sina.example")
	d.deferAll(lease, time.Now(), "sohu")
	d.takeFor(d.owner, spool.Want{Recipients: 10})
	d.Engine = d.subject.Reopen()
	former := d.owner
	d.owner = d.join("node-1")
	if d.owner.Epoch <= former.Epoch {
		d.Errorf("epoch %d after %d", d.owner.Epoch, former.Epoch)
	}
	if got := d.recipients(spool.Filter{Suspect: true}); got != "" {
		d.Errorf("suspect: %s", got)
	}
	if got := names(d.take().Leases); got != "bob@sina.example eve@sohu.example" {
		d.Errorf("leased %s", got)
	}
	if got, err := d.content(id); err != nil || got != text {
		d.Errorf("%q, %v", got, err)
	}
	if st, err := d.Stats(d.ctx); err != nil || st.Messages != 2 || st.Fresh != 1 || st.Waiting != 1 {
		d.Errorf("%+v, %v", st, err)
	}
}
