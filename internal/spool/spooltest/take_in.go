package spooltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// same compares values of the contract: times by instant, paths by text.
var same = cmp.Options{
	cmp.Comparer(func(a, b smtp.Path) bool { return a == b }),
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

// sizes of contents that an engine may keep in different ways.
var sizes = []int{0, 1, 1000, 40_000, 128 << 10, 128<<10 + 1, 600_000}

func readsBack(d *desk) {
	for _, size := range sizes {
		body := strings.Repeat("rain and snow\r\n", size/15+1)[:size]
		fields := "Received: from a\r\n\tby b; now\r\n"
		id, _ := d.commit(spool.Commit{Envelope: envelope("bob@sina.example"), Prepend: []byte(fields)}, body)
		got, err := d.content(id)
		d.must(err)
		if got != fields+body {
			d.Errorf("%d octets: %d came back, or others", size, len(got)-len(fields))
		}
		items := d.all(spool.Filter{ID: id})
		if len(items) != 1 || items[0].Envelope.Size != int64(len(fields)+size) {
			d.Errorf("%d octets: listed as %+v", size, items)
		}
	}
}

func draftReadsBack(d *desk) {
	for _, size := range sizes {
		body := strings.Repeat("rain and snow\r\n", size/15+1)[:size]
		draft := d.draft(body)
		for range 2 {
			if got, err := readAll(draft); err != nil || got != body || draft.Size() != int64(size) {
				d.Errorf("%d octets: %d came back, size %d, %v", size, len(got), draft.Size(), err)
			}
		}
		if m, able := draft.(spool.InMemory); able {
			if got, is := m.Memory(); is && string(got) != body {
				d.Errorf("%d octets: %d are in memory", size, len(got))
			}
		}
		early, err := draft.Open()
		d.must(err)
		_, err = io.WriteString(draft, "and more\r\n")
		d.must(err)
		if got, err := io.ReadAll(early); err != nil || string(got) != body {
			d.Errorf("%d octets: a reader opened before saw %d, %v", size, len(got), err)
		}
		d.must(early.Close())
		_, err = draft.Commit(d.ctx, spool.Commit{Envelope: envelope("bob@sina.example")})
		d.must(err)
		if got, err := d.content(draft.ID()); err != nil || got != body+"and more\r\n" {
			d.Errorf("%d octets and more: %d came back, %v", size, len(got), err)
		}
	}
}

func abortLeavesNothing(d *desk) {
	for _, size := range sizes {
		draft := d.draft(strings.Repeat("x", size))
		draft.Abort()
		draft.Abort()
		if _, err := io.WriteString(draft, "x"); !errors.Is(err, spool.ErrClosed) {
			d.Errorf("a write after Abort: %v", err)
		}
		if m, able := draft.(spool.InMemory); able {
			if got, is := m.Memory(); is {
				d.Errorf("%d octets are in memory after Abort", len(got))
			}
		}
		if _, err := draft.Commit(d.ctx, spool.Commit{Envelope: envelope("bob@sina.example")}); !errors.Is(err, spool.ErrClosed) {
			d.Errorf("a commit after Abort: %v", err)
		}
		if _, err := d.content(draft.ID()); !errors.Is(err, spool.ErrNotFound) {
			d.Errorf("what was aborted: %v", err)
		}
	}
	if st, err := d.Stats(d.ctx); err != nil || st.Messages != 0 || st.Bytes != 0 {
		d.Errorf("%+v, %v", st, err)
	}
	ended := d.draft(text)
	_, err := ended.Commit(d.ctx, spool.Commit{Envelope: envelope("bob@sina.example")})
	d.must(err)
	ended.Abort()
	if _, err := d.content(ended.ID()); err != nil {
		d.Errorf("Abort after Commit took the message: %v", err)
	}
}

func fullEnvelope() mail.Envelope {
	now := time.Now()
	e := envelope("bob@sina.example", `"quoted > local"@sina.example`)
	e.To = append(e.To, mail.Recipient{
		To: smtp.Postmaster, Original: path("büro@example.net"),
		ORcpt: smtp.ORcpt{Type: "utf-8", Addr: "büro@example.net"}, Notify: smtp.NotifySuccess | smtp.NotifyDelay,
	})
	e.To = append(e.To, mail.Recipient{
		To: path("robot@sohu.example"), Original: path("robot@sohu.example"), Notify: smtp.NotifyNever,
		Into: "|/usr/bin/robot 'a b'", Origin: mail.Origin{File: "/etc/aliases", Line: 7, Column: 8},
	}, mail.Recipient{To: path("log@sohu.example"), Original: path("log@sohu.example"), Into: "/var/mail/log/"}, mail.Recipient{
		To: path("staff@sohu.example"), Original: path("staff@sohu.example"), Notify: smtp.NotifySuccess, Expanded: true, Junk: true,
	})
	e.Arrived = now.Add(-time.Minute)
	e.Source = mail.Source{
		Listener: "mx", Client: netip.MustParseAddrPort("[2001:db8::1]:2525"), Hello: "client.example",
		Protocol: "ESMTPSA", TLS: "TLS 1.3", Login: "ann",
	}
	e.Body, e.UTF8, e.RequireTLS, e.Return, e.EnvID = smtp.Body8Bit, true, true, smtp.ReturnHeaders, "env+1"
	e.Priority, e.HoldUntil, e.By, e.ByMode, e.ByTrace = -4, now.Add(-time.Second), now.Add(time.Hour), smtp.ByReturn, true
	e.Hops, e.Subject, e.MessageID = 7, "你好", "<1@sohu.example>"
	return e
}

func envelopeKeepsFields(d *desk) {
	e := fullEnvelope()
	id, lease := d.commit(spool.Commit{Envelope: e, For: d.owner}, text)
	e.ID, e.Size = id, int64(len(text))
	if diff := cmp.Diff(e, lease.Envelope, same); diff != "" {
		d.Errorf("in the lease: %s", diff)
	}
	if diff := cmp.Diff(e, *d.all(spool.Filter{ID: id})[0].Envelope, same); diff != "" {
		d.Errorf("in the list: %s", diff)
	}
	null := envelope("bob@sina.example")
	null.From = smtp.Path{}
	nullID, _ := d.commit(spool.Commit{Envelope: null}, text)
	if got := d.all(spool.Filter{ID: nullID})[0].Envelope.From; !got.IsNull() {
		d.Errorf("the null sender became %v", got)
	}
	want := became(lease.Recipients[1], mail.Deferred)
	want.Due, want.Destination, want.DelayTold, want.LateTold, want.Suspect = time.Now().Add(time.Hour), "mx of sina", true, true, true
	want.Last = fullOutcome()
	d.must(d.settleOne(spool.Settlement{ID: id, Results: []spool.Standing{want}}).Err)
	if diff := cmp.Diff(want, d.all(spool.Filter{ID: id})[1].Standing, same); diff != "" {
		d.Errorf("standing: %s", diff)
	}
}

func fullOutcome() mail.Outcome {
	return mail.Outcome{
		Recipient: 1, Fate: mail.Deferred, At: time.Now(), Took: 3 * time.Second,
		Reply: smtp.Replyf(450, smtp.EnhancedCode{4, 2, 0}, "two\nlines"), Local: true, Stage: smtp.VerbRCPT, Unsure: true,
		OurLimit: true, HostDown: true, Host: "mx", Addr: "192.0.2.1:25", TLS: "TLS 1.2", Forwarded: true,
		Encoded: true, Tried: "mx0 [192.0.2.2]:25: refused",
	}
}

func refusesTooMuch(d *desk) {
	for name, c := range map[string]spool.Commit{
		"nobody":  {Envelope: envelope()},
		"crowd":   {Envelope: mail.Envelope{To: make([]mail.Recipient, spool.MaxRecipients+1)}},
		"prepend": {Envelope: envelope("bob@sina.example"), Prepend: make([]byte, spool.MaxPrepend+1)},
		"fact":    {Envelope: envelope("bob@sina.example"), Facts: []spool.Fact{{Data: make([]byte, spool.MaxFact+1)}}},
	} {
		if _, err := d.draft(text).Commit(d.ctx, c); !errors.Is(err, spool.ErrLimit) {
			d.Errorf("%s: %v", name, err)
		}
	}
	over, cancel := context.WithCancel(d.ctx)
	cancel()
	if _, err := d.draft(text).Commit(over, spool.Commit{Envelope: envelope("bob@sina.example")}); !errors.Is(err, context.Canceled) {
		d.Errorf("a commit after its context ended: %v", err)
	}
	if items := d.all(spool.Filter{}); len(items) != 0 {
		d.Errorf("%d recipients are there", len(items))
	}
}

func manyCommitAtOnce(d *desk) {
	const committers, each = 16, 20
	var all sync.WaitGroup
	errs := make(chan error, committers*each)
	for n := range committers {
		all.Go(func() {
			for i := range each {
				errs <- d.commitQuietly(fmt.Sprintf("u%d-%d@d%d.example", n, i, n%5), n*1000)
			}
		})
	}
	seen, held := map[string]bool{}, d.join("node-2")
	for len(errs) < cap(errs) { // lease beside them
		d.note(seen, d.takeFor(held, spool.Want{Recipients: 7}))
		if len(errs) < cap(errs) {
			time.Sleep(time.Millisecond)
		}
	}
	all.Wait()
	for range cap(errs) {
		d.must(<-errs)
	}
	for len(seen) < committers*each {
		before := len(seen)
		d.note(seen, d.takeFor(held, spool.Want{Recipients: 100}))
		if len(seen) == before {
			d.Fatalf("%d of %d were leased", len(seen), committers*each)
		}
	}
}

func (d *desk) commitQuietly(to string, size int) error {
	draft, err := d.Begin(d.ctx, 0)
	if err != nil {
		return err
	}
	if _, err = draft.Write(make([]byte, size)); err != nil {
		return err
	}
	_, err = draft.Commit(d.ctx, spool.Commit{Envelope: envelope(to)})
	return err
}

func (d *desk) note(seen map[string]bool, taken spool.Taken) {
	for _, l := range taken.Leases {
		to := l.Envelope.To[0].To.String()
		if seen[to] {
			d.Fatalf("%s was leased twice", to)
		}
		seen[to] = true
	}
}

func fullDisk(d *desk) {
	d.need(d.subject.Fill != nil)
	lease := d.arrive("bob@sina.example")
	d.subject.Fill(true)
	d.wait(2 * d.clock.second)
	if _, err := d.Begin(d.ctx, 4000); !errors.Is(err, spool.ErrFull) {
		d.Fatalf("Begin on a full disk: %v", err)
	}
	if st, err := d.Stats(d.ctx); err != nil || !st.Refusing {
		d.Errorf("%+v, %v", st, err)
	}
	d.must(d.settle(lease, mail.Relayed).Err) // deliveries go on
	d.subject.Fill(false)
	d.wait(2 * d.clock.second)
	d.accept("bob@sina.example")
}

func damageIsTold(d *desk) {
	d.need(d.subject.Spoil != nil)
	bad, good := d.accept("bob@sina.example"), d.accept("eve@sina.example")
	d.subject.Spoil(bad)
	if got, err := d.content(bad); !errors.Is(err, spool.ErrDamaged) {
		d.Fatalf("a damaged message came as %q, %v", got, err)
	}
	list, err := d.Damaged(d.ctx, mail.ID{}, 10)
	if err != nil || len(list) != 1 || list[0].ID != bad || list[0].What == "" {
		d.Errorf("quarantine: %+v, %v", list, err)
	}
	if list, err := d.Damaged(d.ctx, bad, 10); err != nil || len(list) != 0 {
		d.Errorf("after it: %+v, %v", list, err)
	}
	if got := d.takeOne().Envelope.ID; got != good {
		d.Errorf("leased %s", got)
	}
	if _, err := d.content(bad); !errors.Is(err, spool.ErrDamaged) {
		d.Errorf("once more: %v", err)
	}
	if st, err := d.Stats(d.ctx); err != nil || st.Damaged != 1 || st.Messages != 1 {
		d.Errorf("%+v, %v", st, err)
	}
	if n := d.order(spool.Filter{}, spool.Hold); n != 1 {
		d.Errorf("%d were ordered", n)
	}
}

// damageWhileLeased: what comes of a message in quarantine is told in the
// journal and changes no count.
func damageWhileLeased(d *desk) {
	d.need(d.subject.Spoil != nil)
	lease := d.arrive("bob@sina.example")
	d.subject.Spoil(lease.Envelope.ID)
	if _, err := d.content(lease.Envelope.ID); !errors.Is(err, spool.ErrDamaged) {
		d.Fatalf("a damaged message: %v", err)
	}
	d.must(d.settle(lease, mail.Failed, "its body was damaged").Err)
	if got := d.said(lease.Envelope.ID); got != "its body was damaged" {
		d.Errorf("the journal: %s", got)
	}
	if st, err := d.Stats(d.ctx); err != nil || st.Messages != 0 || st.Fresh != 0 || st.Bytes != 0 || st.Damaged != 1 {
		d.Errorf("%+v, %v", st, err)
	}
}

func readerOutlives(d *desk) {
	for _, size := range sizes {
		id, lease := d.commit(spool.Commit{Envelope: envelope("bob@sina.example"), For: d.owner}, strings.Repeat("x", size))
		content, err := d.Open(d.ctx, id)
		d.must(err)
		r, err := content.Open()
		d.must(err)
		d.must(d.settle(lease, mail.Relayed).Err)
		d.wait(time.Second)
		if got, err := io.ReadAll(r); err != nil || len(got) != size {
			d.Errorf("%d octets: %d, %v", size, len(got), err)
		}
		d.must(r.Close())
		if _, err := content.Open(); !errors.Is(err, spool.ErrNotFound) {
			d.Errorf("%d octets: opened after removal: %v", size, err)
		}
	}
}

func closedIsClosed(d *desk) {
	draft, id := d.draft(text), d.accept("bob@sina.example")
	d.must(d.Close())
	_, commit := draft.Commit(d.ctx, spool.Commit{Envelope: envelope("bob@sina.example")})
	draft.Abort()
	_, begin := d.Begin(d.ctx, 0)
	_, open := d.Open(d.ctx, id)
	_, lease := d.Lease(d.ctx, d.owner, spool.Want{Recipients: 1})
	_, settle := d.Settle(d.ctx, d.owner, nil)
	_, list := d.List(d.ctx, spool.Query{})
	for what, err := range map[string]error{
		"commit": commit, "begin": begin, "open": open, "lease": lease, "settle": settle,
		"list": list, "note": d.Note(d.ctx, notes("x")), "beat": d.Beat(d.ctx, d.owner), "close": d.Close(),
	} {
		if !errors.Is(err, spool.ErrClosed) {
			d.Errorf("%s: %v", what, err)
		}
	}
}
