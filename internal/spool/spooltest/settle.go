package spooltest

import (
	"errors"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

func lastRemoves(d *desk) {
	for _, fate := range []mail.Fate{mail.Delivered, mail.Relayed, mail.Failed, mail.Expired, mail.Discarded} {
		lease := d.arrive("bob@sina.example", "eve@sohu.example")
		id := lease.Envelope.ID
		one := spool.Settlement{ID: id, Results: []spool.Standing{became(lease.Recipients[0], fate)}}
		d.must(d.settleOne(one).Err)
		if got := d.recipients(spool.Filter{}); got != "eve@sohu.example" {
			d.Fatalf("%v: left: %s", fate, got)
		}
		two := spool.Settlement{ID: id, Results: []spool.Standing{became(lease.Recipients[1], fate)}}
		d.must(d.settleOne(two).Err)
		if _, err := d.content(id); !errors.Is(err, spool.ErrNotFound) {
			d.Errorf("%v: the content: %v", fate, err)
		}
		if got := d.recipients(spool.Filter{}); got != "" {
			d.Errorf("%v: left: %s", fate, got)
		}
		if again := d.settleOne(two); !errors.Is(again.Err, spool.ErrLeaseLost) {
			d.Errorf("%v: settled twice: %v", fate, again.Err)
		}
	}
}

func ownFates(d *desk) {
	lease := d.arrive("a@sina.example", "b@sina.example", "c@sina.example", "d@sina.example")
	r, due := lease.Recipients, time.Now().Add(-time.Second)
	d.must(d.settleOne(spool.Settlement{ID: lease.Envelope.ID, Results: []spool.Standing{
		became(r[0], mail.Relayed), deferred(r[2], due, "mx.sina"), became(r[3], mail.Failed),
	}}).Err)
	if got := d.recipients(spool.Filter{}); got != "b@sina.example c@sina.example" {
		d.Fatalf("left: %s", got)
	}
	back := d.takeOne() // b is still leased
	if back.Recipients[0].Recipient != 2 || len(back.Envelope.To) != 4 {
		d.Errorf("came back: %+v", back)
	}
	d.must(d.Release(d.ctx, d.owner, []spool.Ref{{ID: back.Envelope.ID, Recipient: 1}, {ID: back.Envelope.ID, Recipient: 2}}))
	both := d.take()
	if len(both.Leases) != 1 || len(both.Leases[0].Recipients) != 2 {
		d.Fatalf("one lease a message: %+v", both.Leases)
	}
	d.must(d.settle(&both.Leases[0], mail.Delivered).Err)
	if got := d.recipients(spool.Filter{}); got != "" {
		d.Errorf("left: %s", got)
	}
}

// report is a report of a settlement, to be told to ann.
func (d *desk) report(of ...int) spool.Report {
	d.Helper()
	return spool.Report{Draft: d.draft("Subject: undelivered\r\n\r\n"), Recipients: of, Commit: spool.Commit{
		Envelope: envelope("ann@sohu.example"), Prepend: []byte("From: postmaster\r\n"), Facts: notes("a report"), For: d.owner,
	}}
}

func reportWithResult(d *desk) {
	lease := d.arrive("bob@sina.example")
	rep := d.report(0)
	got := d.settleOne(spool.Settlement{
		ID: lease.Envelope.ID, Facts: notes("failed"), Reports: []spool.Report{rep},
		Results: []spool.Standing{became(lease.Recipients[0], mail.Failed)},
	})
	d.must(got.Err)
	if len(got.Reports) != 1 || !got.Reports[0].Committed || got.Reports[0].Lease == nil {
		d.Fatalf("settled: %+v", got)
	}
	if id := got.Reports[0].Lease.Envelope.ID; id != rep.Draft.ID() {
		d.Errorf("leased %s, want the report %s", id, rep.Draft.ID())
	}
	if got, err := d.content(rep.Draft.ID()); err != nil || got != "From: postmaster\r\nSubject: undelivered\r\n\r\n" {
		d.Errorf("the report: %q, %v", got, err)
	}
	if got := d.recipients(spool.Filter{}); got != "ann@sohu.example" {
		d.Errorf("in the spool: %s", got)
	}
	if a, b := d.said(lease.Envelope.ID), d.said(rep.Draft.ID()); a != "failed" || b != "a report" {
		d.Errorf("the journal: %q, %q", a, b)
	}
	rep.Draft.Abort() // does nothing
	if _, err := d.content(rep.Draft.ID()); err != nil {
		d.Error(err)
	}
}

func orderWins(d *desk) {
	lease := d.arrive("bob@sina.example")
	if n := d.order(spool.Filter{}, spool.Hold); n != 1 {
		d.Fatalf("%d ordered", n)
	}
	tomorrow := time.Now().Add(24 * time.Hour)
	s := spool.Settlement{
		ID: lease.Envelope.ID, Facts: notes("tried"),
		Results: []spool.Standing{deferred(lease.Recipients[0], tomorrow, "sina")},
	}
	got := d.settleOne(s)
	if !errors.Is(got.Err, spool.ErrAltered) || len(got.Altered) != 1 || !got.Altered[0].Held || got.Altered[0].Order.Verb != spool.Hold {
		d.Fatalf("settled: %+v", got)
	}
	if got := d.said(lease.Envelope.ID); got != "hold bob@sina.example, tried" {
		d.Errorf("the journal: %s", got)
	}
	d.must(d.Release(d.ctx, d.owner, []spool.Ref{{ID: lease.Envelope.ID}}))
	d.takeNothing()
	if items := d.all(spool.Filter{Place: spool.Held}); len(items) != 1 || items[0].Standing.Attempts != 0 {
		d.Errorf("held: %+v", items)
	}
	d.order(spool.Filter{}, spool.Free)
	again := d.takeOne()
	d.order(spool.Filter{}, spool.Retry)
	s.Results[0] = deferred(again.Recipients[0], tomorrow, "sina")
	if got := d.settleOne(s); !errors.Is(got.Err, spool.ErrAltered) {
		d.Errorf("retry: %+v", got)
	}
	d.must(d.settleOne(s).Err) // having been told, it settles
	d.takeNothing()
}

func deliveryRecorded(d *desk) {
	lease := d.arrive("bob@sina.example", "eve@sina.example")
	d.order(spool.Filter{}, spool.Hold)
	got := d.settleOne(spool.Settlement{ID: lease.Envelope.ID, Facts: notes("relayed"), Results: []spool.Standing{
		became(lease.Recipients[0], mail.Relayed), became(lease.Recipients[1], mail.Failed),
	}})
	if !errors.Is(got.Err, spool.ErrAltered) || len(got.Altered) != 1 || got.Altered[0].Recipient != 1 {
		d.Fatalf("settled: %+v", got)
	}
	if got := d.recipients(spool.Filter{}); got != "eve@sina.example" {
		d.Errorf("left: %s", got)
	}
}

func removedWhileLeased(d *desk) {
	lease := d.arrive("bob@sina.example")
	d.order(spool.Filter{}, spool.Remove)
	if got := d.recipients(spool.Filter{}); got != "" {
		d.Errorf("left: %s", got)
	}
	got := d.settle(lease, mail.Relayed, "relayed all the same")
	if !errors.Is(got.Err, spool.ErrAltered) || len(got.Altered) != 1 || got.Altered[0].Fate != mail.Removed {
		d.Fatalf("settled: %+v", got)
	}
	if got := d.said(lease.Envelope.ID); got != "remove bob@sina.example, relayed all the same" {
		d.Errorf("the journal: %s", got)
	}
	if got := d.settle(lease, mail.Relayed); !errors.Is(got.Err, spool.ErrLeaseLost) {
		d.Errorf("once more: %v", got.Err)
	}
}

func reportSetAside(d *desk) {
	lease := d.arrive("bob@sina.example", "eve@sina.example")
	zero := 0
	d.order(spool.Filter{ID: lease.Envelope.ID, Recipient: &zero}, spool.Hold)
	s := spool.Settlement{ID: lease.Envelope.ID, Reports: []spool.Report{d.report(0, 1), d.report(1)}, Results: []spool.Standing{
		became(lease.Recipients[0], mail.Failed), became(lease.Recipients[1], mail.Failed),
	}}
	got := d.settleOne(s)
	if !errors.Is(got.Err, spool.ErrAltered) || got.Reports[0].Committed || got.Reports[1].Committed {
		d.Fatalf("settled: %+v", got)
	}
	s.Reports[0].Draft.Abort()
	s.Reports[1].Draft.Abort()
	if _, err := d.content(s.Reports[0].Draft.ID()); !errors.Is(err, spool.ErrNotFound) {
		d.Errorf("the report set aside: %v", err)
	}
	if got := d.recipients(spool.Filter{}); got != "bob@sina.example eve@sina.example" {
		d.Errorf("left: %s", got)
	}
}

// toldTogether: of five recipients one is held by an operator before all are
// settled. Whoever shares a report with it, by way of another report too, is
// settled again without it, and nothing is lost by a crash in between; but what
// was relayed is recorded, and so is what no such report tells of.
func toldTogether(d *desk) {
	lease := d.arrive("a@sina.example", "b@sina.example", "c@sina.example", "d@sina.example", "e@sina.example")
	zero := 0
	d.order(spool.Filter{ID: lease.Envelope.ID, Recipient: &zero}, spool.Hold)
	s := spool.Settlement{
		ID: lease.Envelope.ID, Reports: []spool.Report{d.report(1, 2), d.report(0, 1, 3), d.report(4)},
		Results: []spool.Standing{
			became(lease.Recipients[0], mail.Failed), became(lease.Recipients[1], mail.Failed),
			deferred(lease.Recipients[2], time.Now().Add(time.Hour), "sina"), became(lease.Recipients[3], mail.Relayed),
			became(lease.Recipients[4], mail.Failed),
		},
	}
	got := d.settleOne(s)
	if !errors.Is(got.Err, spool.ErrAltered) || len(got.Altered) != 1 || got.Altered[0].Recipient != 0 || !slices.Equal(got.Aside, []int{1, 2}) {
		d.Fatalf("settled: %+v", got)
	}
	if got.Reports[0].Committed || got.Reports[1].Committed || !got.Reports[2].Committed {
		d.Errorf("reports: %+v", got.Reports)
	}
	s.Reports[0].Draft.Abort()
	s.Reports[1].Draft.Abort()
	const left = "a@sina.example ann@sohu.example b@sina.example c@sina.example"
	if got := d.recipients(spool.Filter{}); got != left {
		d.Errorf("left: %s", got)
	}
	if items := d.all(spool.Filter{To: "c@*"}); len(items) != 1 || items[0].Standing.Attempts != 0 || items[0].Owner != d.owner {
		d.Errorf("c: %+v", items)
	}
	again := d.settleOne(spool.Settlement{ID: s.ID, Results: s.Results[1:3], Reports: []spool.Report{d.report(1, 2)}})
	if again.Err != nil || !again.Reports[0].Committed {
		d.Errorf("settled again: %+v", again)
	}
	if got := d.recipients(spool.Filter{}); got != "a@sina.example ann@sohu.example ann@sohu.example c@sina.example" {
		d.Errorf("left in the end: %s", got)
	}
}

// crashBeforeToldAgain: what was set aside with a report is there after a crash,
// though the rest of its settlement was recorded.
func crashBeforeToldAgain(d *desk) {
	lease := d.arrive("bob@sina.example", "eve@sina.example")
	zero := 0
	d.order(spool.Filter{ID: lease.Envelope.ID, Recipient: &zero}, spool.Hold)
	got := d.settleOne(spool.Settlement{ID: lease.Envelope.ID, Reports: []spool.Report{d.report(0, 1)}, Results: []spool.Standing{
		became(lease.Recipients[0], mail.Failed), became(lease.Recipients[1], mail.Failed),
	}})
	if !errors.Is(got.Err, spool.ErrAltered) {
		d.Fatalf("settled: %+v", got)
	}
	d.crash()
	if got := d.recipients(spool.Filter{}); got != "bob@sina.example eve@sina.example" {
		d.Errorf("after the crash: %s", got)
	}
	if back := d.takeOne(); back.Recipients[0].Recipient != 1 {
		d.Errorf("leased again: %+v", back.Recipients)
	}
}

func notHeld(d *desk) {
	lease := d.arrive("bob@sina.example", "eve@sina.example")
	d.must(d.Release(d.ctx, d.owner, []spool.Ref{{ID: lease.Envelope.ID, Recipient: 1}}))
	rep := d.report(0)
	got := d.settleOne(spool.Settlement{ID: lease.Envelope.ID, Facts: notes("tried"), Reports: []spool.Report{rep}, Results: []spool.Standing{
		became(lease.Recipients[0], mail.Relayed), became(lease.Recipients[1], mail.Relayed),
	}})
	if !errors.Is(got.Err, spool.ErrLeaseLost) || got.Reports[0].Committed {
		d.Fatalf("settled: %+v", got)
	}
	if got := d.said(lease.Envelope.ID); got != "" {
		d.Errorf("recorded: %s", got)
	}
	rep.Draft.Abort()
	twice := spool.Settlement{ID: lease.Envelope.ID, Results: []spool.Standing{lease.Recipients[0], lease.Recipients[0]}}
	if _, err := d.Settle(d.ctx, d.owner, []spool.Settlement{twice}); err == nil {
		d.Error("one recipient settled twice in one settlement")
	}
	d.must(d.settle(&spool.Lease{Envelope: lease.Envelope, Recipients: lease.Recipients[:1]}, mail.Relayed).Err)
}
