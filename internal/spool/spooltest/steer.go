package spooltest

import (
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

func orders(d *desk) {
	fresh, lease := d.accept("bob@sina.example"), d.arrive("eve@sohu.example")
	d.deferAll(lease, time.Now().Add(time.Hour), "sohu")
	everything := spool.Filter{}

	d.order(everything, spool.Hold)
	d.takeNothing()
	if got := d.recipients(spool.Filter{Place: spool.Held}); got != "bob@sina.example eve@sohu.example" {
		d.Errorf("held: %s", got)
	}
	d.order(everything, spool.Retry) // does nothing to held ones
	d.takeNothing()
	d.order(everything, spool.Free)
	d.releaseAll("bob@sina.example eve@sohu.example")

	for _, l := range d.take().Leases {
		d.deferAll(&l, time.Now().Add(time.Hour), "later")
	}
	d.takeNothing()
	d.order(everything, spool.Retry)
	d.releaseAll("bob@sina.example eve@sohu.example")

	via := mail.Hop{Route: "by hand", Transport: "remote", Destination: "relay.example", Origin: mail.Origin{File: "console", Line: 1}}
	_, err := d.Alter(d.ctx, spool.Query{Filter: spool.Filter{ID: fresh}},
		spool.Order{Verb: spool.Reroute, At: time.Now(), By: "olga", Reason: "their MX burns", Via: via}, nil)
	d.must(err)
	if got := d.all(spool.Filter{ID: fresh})[0].Standing.Order; got.Via != via || got.By != "olga" || got.Reason != "their MX burns" {
		d.Errorf("rerouted: %+v", got)
	}
	d.order(everything, spool.Hold)
	d.order(everything, spool.Bounce)
	taken := d.take()
	if len(taken.Leases) != 2 || taken.Leases[0].Recipients[0].Order.Verb != spool.Bounce {
		d.Errorf("to be bounced: %+v", taken.Leases)
	}
	d.order(everything, spool.Remove)
	if got := d.recipients(everything); got != "" {
		d.Errorf("left: %s", got)
	}
	want := "hold bob@sina.example, free bob@sina.example, retry bob@sina.example, " +
		"hold bob@sina.example, bounce bob@sina.example, remove bob@sina.example"
	if got := d.said(fresh); got != want {
		d.Errorf("the journal: %s", got)
	}
}

// releaseAll leases all there is, which is to be want, and gives it back.
func (d *desk) releaseAll(want string) {
	d.Helper()
	taken := d.take()
	if got := names(taken.Leases); len(got) != len(want) {
		d.Fatalf("leased %q, want %q", got, want)
	}
	for _, l := range taken.Leases {
		for _, r := range l.Recipients {
			d.must(d.Release(d.ctx, d.owner, []spool.Ref{{ID: l.Envelope.ID, Recipient: r.Recipient}}))
		}
	}
}

func listPages(d *desk) {
	const n = 30
	for i := range n {
		d.accept(fmt.Sprintf("a%02d@sina.example", i), fmt.Sprintf("b%02d@sohu.example", i))
	}
	whole := d.all(spool.Filter{})
	if len(whole) != 2*n {
		d.Fatalf("%d listed", len(whole))
	}
	for i := 1; i < len(whole); i++ {
		a, b := whole[i-1].Ref(), whole[i].Ref()
		if string(a.ID[:]) > string(b.ID[:]) || a.ID == b.ID && a.Recipient >= b.Recipient {
			d.Fatalf("%v stands before %v", a, b)
		}
	}
	var paged []spool.Ref
	q := spool.Query{Filter: spool.Filter{To: "*@SOHU.example"}, Limit: 7}
	for more := true; more; {
		page, err := d.List(d.ctx, q)
		d.must(err)
		if len(page.Items) > 7 {
			d.Fatalf("%d in a page of 7", len(page.Items))
		}
		for _, it := range page.Items {
			paged = append(paged, it.Ref())
		}
		more, q.After = page.More, page.Next
	}
	if len(paged) != n {
		d.Fatalf("%d in pages", len(paged))
	}
	for i, ref := range paged {
		if ref != whole[2*i+1].Ref() {
			d.Errorf("%d is %v", i, ref)
		}
	}
	half := spool.Query{Limit: n}
	page, err := d.Alter(d.ctx, half, spool.Order{Verb: spool.Remove, At: time.Now(), By: "olga"}, nil)
	if err != nil || len(page.Items) != n || !page.More {
		d.Fatalf("altered %d, %v", len(page.Items), err)
	}
	if got := len(d.all(spool.Filter{})); got != n {
		d.Errorf("%d are left", got)
	}
}

func filters(d *desk) {
	start := time.Now()
	e := fullEnvelope()
	e.To, e.Arrived, e.HoldUntil = e.To[:1], start.Add(-time.Hour), time.Time{}
	full, lease := d.commit(spool.Commit{Envelope: e, For: d.owner}, text)
	null := envelope("eve@sohu.example")
	null.From, null.To[0].Original = smtp.Path{}, path("alias@sohu.example")
	d.commit(spool.Commit{Envelope: null}, text)
	d.deferAll(lease, start.Add(time.Minute), "mx.sina.example")
	yes, no, zero := true, false, 0
	const bob, eve = "bob@sina.example", "eve@sohu.example"
	for _, c := range []struct {
		name string
		f    spool.Filter
		want string
	}{
		{"all", spool.Filter{}, bob + " " + eve},
		{"id", spool.Filter{ID: full}, bob},
		{"recipient", spool.Filter{ID: full, Recipient: &zero}, bob},
		{"from", spool.Filter{From: "ANN@*"}, bob},
		{"null sender", spool.Filter{From: "<>"}, eve},
		{"to", spool.Filter{To: "*@sina.*"}, bob},
		{"original", spool.Filter{To: "alias@sohu.example"}, eve},
		{"to nobody", spool.Filter{To: "*ann*"}, ""},
		{"destination", spool.Filter{Destination: "mx.*"}, bob},
		{"fresh", spool.Filter{Place: spool.Fresh}, eve},
		{"waiting", spool.Filter{Place: spool.Waiting}, bob},
		{"held", spool.Filter{Place: spool.Held}, ""},
		{"leased", spool.Filter{Leased: &yes}, ""},
		{"free", spool.Filter{Leased: &no}, bob + " " + eve},
		{"suspect", spool.Filter{Suspect: true}, ""},
		{"old", spool.Filter{ArrivedBefore: start.Add(-time.Minute)}, bob},
		{"young", spool.Filter{ArrivedAfter: start.Add(-time.Minute)}, eve},
		{"due", spool.Filter{DueBefore: start.Add(time.Hour)}, bob},
		{"not due", spool.Filter{DueBefore: start}, ""},
		{"enhanced code", spool.Filter{Reply: "4.7"}, bob},
		{"code", spool.Filter{Reply: "451"}, bob},
		{"words of the reply", spool.Filter{Reply: "GREYlisted"}, bob},
		{"login", spool.Filter{Login: "ann"}, bob},
		{"subject", spool.Filter{Subject: "*好"}, bob},
		{"two that hold", spool.Filter{From: "ann@*", To: "bob@*"}, bob},
		{"two that do not", spool.Filter{From: "ann@*", To: "eve@*"}, ""},
	} {
		if got := d.recipients(c.f); got != c.want {
			d.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func counts(d *desk) {
	check := func(what string, want spool.Stats) {
		d.Helper()
		got, err := d.Stats(d.ctx)
		d.must(err)
		got.Facts, got.FactBytes, got.States = 0, 0, 0
		got.Free, got.Disk, got.Floor = 0, 0, 0
		if got != want {
			d.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	size := int64(len(text))
	check("empty", spool.Stats{})
	lease := d.arrive("a@sina.example", "b@sina.example", "c@sina.example")
	d.accept("eve@sohu.example")
	check("accepted", spool.Stats{Messages: 2, Bytes: 2 * size, Fresh: 4, Leased: 3})
	d.deferAll(&spool.Lease{Envelope: lease.Envelope, Recipients: lease.Recipients[:2]}, time.Now().Add(time.Hour), "sina")
	check("deferred", spool.Stats{Messages: 2, Bytes: 2 * size, Fresh: 2, Waiting: 2, Leased: 1})
	d.order(spool.Filter{To: "a@*"}, spool.Hold)
	check("held", spool.Stats{Messages: 2, Bytes: 2 * size, Fresh: 2, Waiting: 1, Held: 1, Leased: 1})
	if list, err := d.Destinations(d.ctx, "", 10); err != nil || len(list) != 1 || list[0].Recipients != 2 {
		d.Errorf("destinations: %+v, %v", list, err)
	}
	if list, err := d.Destinations(d.ctx, "sina", 10); err != nil || len(list) != 0 {
		d.Errorf("after the last: %+v, %v", list, err)
	}
	d.order(spool.Filter{To: "*@sina.example"}, spool.Remove)
	check("removed", spool.Stats{Messages: 1, Bytes: size, Fresh: 1, Leased: 1})
	d.order(spool.Filter{}, spool.Remove)
	if list, err := d.Destinations(d.ctx, "", 10); err != nil || len(list) != 0 {
		d.Errorf("destinations of nothing: %+v, %v", list, err)
	}
}
