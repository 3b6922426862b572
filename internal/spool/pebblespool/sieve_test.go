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
	"github.com/posthouse/posthouse/smtp"
)

// TestWhatPassesTheSieve: lists by whatever a filter names have what a look at everything
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
		env.To = append(env.To, one.To...)
	}
	from := []string{"", "ann@sohu.example", "Ann@SOHU.example", "\u212aate@sohu.example", "kate@sina.example"}[random.IntN(5)]
	if from != "" {
		if env.From, err = smtp.ParseMailbox(from); err != nil {
			t.Fatal(err)
		}
	}
	env.Subject, env.Source.Login = []string{"", "Rain", "heavy RAIN", "\u0130stanbul"}[random.IntN(4)], []string{"", "ann"}[random.IntN(2)]
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
		if reply := random.IntN(3); reply > 0 {
			r.Last = mail.Outcome{Fate: r.Fate, At: time.Now(), Reply: smtp.Replyf(451, smtp.EnhancedCode{4, reply, 1}, "Try number %d", reply)}
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
	var filters []spool.Filter
	for _, place := range []spool.Place{0, spool.Fresh, spool.Waiting, spool.Held} {
		for _, destination := range []string{"", "d1.example", "D2.EXAMPLE", "d*.example", "hop.example", "*", "nowhere.example"} {
			filters = append(filters, spool.Filter{Place: place, Destination: destination})
		}
		for _, reply := range []string{"451", "4.1", "number 2", "451 4.2.1 try", "nobody"} {
			filters = append(filters, spool.Filter{Place: place, Reply: reply}, spool.Filter{Place: place, Reply: reply, Destination: "d1.*"})
		}
	}
	for _, from := range []string{"ann@sohu.example", "*@sohu.example", "kate@*", "*k*e*a*e*", "<>", "<*", "*\u212aate*", "nobody"} {
		filters = append(filters, spool.Filter{From: from}, spool.Filter{From: from, Place: spool.Waiting, To: "user1@*"})
	}
	for _, to := range []string{"user1@d1.example", "USER0@*", "*@d2.example", "<>", "*"} {
		filters = append(filters, spool.Filter{To: to}, spool.Filter{To: to, Login: "Ann"}, spool.Filter{To: to, Login: "a*", Subject: "*rain"})
	}
	for _, subject := range []string{"rain", "heavy*", "istanbul", "\u0130stan*", "*"} {
		filters = append(filters, spool.Filter{Subject: subject})
	}
	some := 0
	for _, f := range filters {
		for _, limit := range []int{1, 7, 0} {
			some += compareList(t, s, all, spool.Query{Filter: f, Limit: limit})
		}
	}
	if some < len(filters) {
		t.Errorf("%d filters found only %d recipients", len(filters), some)
	}
}

// compareList holds a list against those of all whom its filter chooses, and returns how many
// they are.
func compareList(t *testing.T, s *pebblespool.Spool, all []spool.Item, q spool.Query) int {
	t.Helper()
	var want, got []spool.Ref
	for _, it := range all {
		if q.Filter.Match(&it) {
			want = append(want, it.Ref())
		}
	}
	for _, it := range listed(t, s, q) {
		got = append(got, it.Ref())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, %d a page: %d found, want %d", q.Filter, q.Limit, len(got), len(want))
	}
	return len(want)
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
