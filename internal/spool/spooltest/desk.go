package spooltest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// desk drives an engine in a test; what must not fail ends the test.
type desk struct {
	testing.TB
	subject Subject
	spool.Engine
	ctx   context.Context
	owner spool.Owner
	clock clock
}

// clock is how time goes in a test.
type clock struct {
	real   bool          // nobody says when it goes on, and the machine may be slow
	second time.Duration // what the stories call a second
}

var (
	bubbleClock = clock{second: time.Second}
	realClock   = clock{real: true, second: 4 * time.Second}
)

// ttl is that of all owners.
func (d *desk) ttl() time.Duration { return 3 * d.clock.second }

func newDesk(t testing.TB, s Subject, c clock) *desk {
	d := &desk{TB: t, subject: s, Engine: s.Engine, ctx: context.Background(), clock: c}
	d.owner = d.join("node-1")
	return d
}

func (d *desk) need(hook bool) {
	if !hook {
		d.Skip("this engine has no such hook")
	}
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) crash() {
	d.Helper()
	d.need(d.subject.Crash != nil)
	d.Engine = d.subject.Crash()
	d.owner = d.join("node-1")
}

func (d *desk) join(name string) spool.Owner {
	d.Helper()
	o, err := d.Join(d.ctx, name, d.ttl())
	d.must(err)
	return o
}

func path(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

func envelope(to ...string) mail.Envelope {
	e := mail.Envelope{From: path("ann@sohu.example"), Arrived: time.Now(), Subject: "hello"}
	for _, a := range to {
		e.To = append(e.To, mail.Recipient{To: path(a), Original: path(a)})
	}
	return e
}

const text = "Subject: hello\r\n\r\nIt rains.\r\n"

// accept commits a small message without a lease.
func (d *desk) accept(to ...string) mail.ID {
	d.Helper()
	id, _ := d.commit(spool.Commit{Envelope: envelope(to...)}, text)
	return id
}

// arrive commits a small message with a lease.
func (d *desk) arrive(to ...string) *spool.Lease {
	d.Helper()
	_, lease := d.commit(spool.Commit{Envelope: envelope(to...), For: d.owner}, text)
	if lease == nil {
		d.Fatal("no lease was born")
	}
	return lease
}

func (d *desk) commit(c spool.Commit, body string) (mail.ID, *spool.Lease) {
	d.Helper()
	draft := d.draft(body)
	lease, err := draft.Commit(d.ctx, c)
	d.must(err)
	return draft.ID(), lease
}

func (d *desk) draft(body string) spool.Draft {
	d.Helper()
	draft, err := d.Begin(d.ctx, 0)
	d.must(err)
	_, err = io.WriteString(draft, body)
	d.must(err)
	return draft
}

// take leases all there is.
func (d *desk) take() spool.Taken {
	d.Helper()
	return d.takeFor(d.owner, spool.Want{Recipients: 1000})
}

func (d *desk) takeFor(o spool.Owner, w spool.Want) spool.Taken {
	d.Helper()
	taken, err := d.Lease(d.ctx, o, w)
	d.must(err)
	return taken
}

// takeOne leases, and fails unless there is exactly one recipient to have.
func (d *desk) takeOne() spool.Lease {
	d.Helper()
	taken := d.take()
	if len(taken.Leases) != 1 || len(taken.Leases[0].Recipients) != 1 {
		d.Fatalf("leased %+v, want one recipient", taken.Leases)
	}
	return taken.Leases[0]
}

func (d *desk) takeNothing() {
	d.Helper()
	if taken := d.take(); len(taken.Leases) != 0 {
		d.Fatalf("leased %s, want nothing", names(taken.Leases))
	}
}

// names prints leased recipients by address.
func names(leases []spool.Lease) string {
	var to []string
	for _, l := range leases {
		for _, r := range l.Recipients {
			to = append(to, l.Envelope.To[r.Recipient].To.String())
		}
	}
	slices.Sort(to)
	return strings.Join(to, " ")
}

// became is a result: the standing of a leased recipient after an attempt.
func became(s spool.Standing, fate mail.Fate) spool.Standing {
	s.Fate, s.Attempts, s.Suspect = fate, s.Attempts+1, false
	s.Last = mail.Outcome{Recipient: s.Recipient, Fate: fate, At: time.Now(), Host: "mx.sina.example"}
	if fate != mail.Delivered && fate != mail.Relayed {
		s.Last.Reply = smtp.Replyf(451, smtp.EnhancedCode{4, 7, 1}, "greylisted, come back")
	}
	return s
}

// deferred is a result: to be tried again at due.
func deferred(s spool.Standing, due time.Time, destination string) spool.Standing {
	s = became(s, mail.Deferred)
	s.Due, s.Destination = due, destination
	return s
}

// settle settles one lease, all its recipients with one fate.
func (d *desk) settle(l *spool.Lease, fate mail.Fate, facts ...string) spool.Settled {
	d.Helper()
	s := spool.Settlement{ID: l.Envelope.ID, Facts: notes(facts...)}
	for _, r := range l.Recipients {
		s.Results = append(s.Results, became(r, fate))
	}
	return d.settleOne(s)
}

func (d *desk) settleOne(s spool.Settlement) spool.Settled {
	d.Helper()
	return d.settleFor(d.owner, s)
}

func (d *desk) settleFor(o spool.Owner, s spool.Settlement) spool.Settled {
	d.Helper()
	settled, err := d.Settle(d.ctx, o, []spool.Settlement{s})
	d.must(err)
	if len(settled) != 1 {
		d.Fatalf("%d settled, want 1", len(settled))
	}
	return settled[0]
}

// deferAll defers all recipients of a lease.
func (d *desk) deferAll(l *spool.Lease, due time.Time, destination string) {
	d.Helper()
	s := spool.Settlement{ID: l.Envelope.ID}
	for _, r := range l.Recipients {
		s.Results = append(s.Results, deferred(r, due, destination))
	}
	d.must(d.settleOne(s).Err)
}

func notes(texts ...string) []spool.Fact {
	var facts []spool.Fact
	for _, s := range texts {
		facts = append(facts, spool.Fact{At: time.Now(), Data: []byte(s)})
	}
	return facts
}

// all lists everything that a filter chooses.
func (d *desk) all(f spool.Filter) []spool.Item {
	d.Helper()
	var items []spool.Item
	q := spool.Query{Filter: f}
	for {
		page, err := d.List(d.ctx, q)
		d.must(err)
		items = append(items, page.Items...)
		if !page.More {
			return items
		}
		q.After = page.Next
	}
}

// recipients lists everything that a filter chooses, by address: those of one
// millisecond are in any order.
func (d *desk) recipients(f spool.Filter) string {
	d.Helper()
	var to []string
	for _, it := range d.all(f) {
		to = append(to, it.Envelope.To[it.Standing.Recipient].To.String())
	}
	slices.Sort(to)
	return strings.Join(to, " ")
}

// order alters everything that a filter chooses, and returns how many.
func (d *desk) order(f spool.Filter, verb spool.Verb) int {
	d.Helper()
	o := spool.Order{Verb: verb, At: time.Now(), By: "olga", Reason: "because"}
	page, err := d.Alter(d.ctx, spool.Query{Filter: f}, o, func(it spool.Item) []byte {
		return fmt.Appendf(nil, "%s %s", verb, it.Envelope.To[it.Standing.Recipient].To)
	})
	d.must(err)
	return len(page.Items)
}

// content reads a whole message.
func (d *desk) content(id mail.ID) (string, error) {
	c, err := d.Open(d.ctx, id)
	if err != nil {
		return "", err
	}
	return readAll(c)
}

func readAll(c mail.Content) (string, error) {
	r, err := c.Open()
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	if closing := r.Close(); err == nil {
		err = closing
	}
	return string(b), err
}

// said reads the journal of a message.
func (d *desk) said(id mail.ID) string {
	d.Helper()
	page, err := d.Facts(d.ctx, spool.FactQuery{ID: id})
	d.must(err)
	return factTexts(page.Facts)
}

func factTexts(facts []spool.Fact) string {
	var b bytes.Buffer
	for i, f := range facts {
		if i > 0 {
			b.WriteString(", ")
		}
		b.Write(f.Data)
	}
	return b.String()
}

// wait lets time pass, keeping the owner alive.
func (d *desk) wait(long time.Duration) {
	d.Helper()
	for long > 0 {
		step := min(long, d.ttl()/3)
		time.Sleep(step)
		long -= step
		d.must(d.Beat(d.ctx, d.owner))
	}
}
