package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/internal/spool/transfer"
	"github.com/posthouse/posthouse/smtp"
)

// opener opens an engine, empty at first, and the same again after it was closed.
type opener func(t *testing.T) func() transfer.Engine

func memory(*testing.T) func() transfer.Engine {
	s := memspool.New(memspool.Options{})
	return func() transfer.Engine { return kept{s} }
}

// kept is an engine in memory that outlives its Close.
type kept struct{ *memspool.Spool }

func (kept) Close() error { return nil }

func disk(t *testing.T) func() transfer.Engine {
	dir := t.TempDir()
	return func() transfer.Engine {
		s, err := pebblespool.Open(dir, pebblespool.Options{MemTable: 1 << 20, Ballast: -1, MinFree: -1})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

var engines = map[string]opener{"memory": memory, "disk": disk}

// TestCopy: between every two engines, what is listed, read, journaled and kept is the same,
// and a house may open the one and not the other.
func TestCopy(t *testing.T) {
	for here, source := range engines {
		for there, target := range engines {
			t.Run(here+" to "+there, func(t *testing.T) {
				openFrom, openTo := source(t), target(t)
				from, to := openFrom(), openTo()
				fill(t, from, 20)
				want := contents(t, from)
				sum, err := transfer.Copy(t.Context(), transfer.End{Engine: from, Name: here}, transfer.End{Engine: to, Name: there}, transfer.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if sum.Messages != 20 || sum.Facts < 20 || sum.States != 2 {
					t.Errorf("sum %+v", sum)
				}
				shut(t, from, to)
				from, to = openFrom(), openTo()
				defer shut(t, from, to)
				if diff := cmp.Diff(want, contents(t, to), same); diff != "" {
					t.Errorf("-source +target:\n%s", diff)
				}
				if err := transfer.Usable(t.Context(), to); err != nil {
					t.Errorf("the target: %v", err)
				}
				if err := transfer.Usable(t.Context(), from); !errors.Is(err, transfer.ErrMarked) || !strings.Contains(err.Error(), there) {
					t.Errorf("the source: %v", err)
				}
				whole(t, to)
				sends(t, to, 20)
			})
		}
	}
}

// TestACopyThatWasStoppedGoesOn, at whatever call to the target it was.
func TestACopyThatWasStoppedGoesOn(t *testing.T) {
	from := memspool.New(memspool.Options{})
	fill(t, from, 5)
	for stop := 1; ; stop++ {
		to := memspool.New(memspool.Options{})
		source := transfer.End{Engine: kept{from}, Name: "here"}
		ctx, cancel := context.WithCancel(t.Context())
		_, err := transfer.Copy(ctx, source, transfer.End{Engine: stopsAfter(to, stop, cancel), Name: "there"}, transfer.Options{Keep: true})
		cancel()
		if err == nil {
			if stop < 8 {
				t.Errorf("it made only %d calls", stop)
			}
			return
		}
		if err := transfer.Usable(t.Context(), to); stop > 1 && !errors.Is(err, transfer.ErrMarked) {
			t.Errorf("stopped at call %d, and a house may have it: %v", stop, err)
		}
		if _, err := transfer.Copy(t.Context(), source, transfer.End{Engine: kept{to}, Name: "there"}, transfer.Options{Keep: true}); err != nil {
			t.Errorf("stopped at call %d: %v", stop, err)
		}
		if diff := cmp.Diff(contents(t, from), contents(t, to), same); diff != "" {
			t.Errorf("stopped at call %d: -source +target:\n%s", stop, diff)
		}
		if err := transfer.Usable(t.Context(), to); err != nil {
			t.Errorf("stopped at call %d, and finished: %v", stop, err)
		}
	}
}

// stopping is an engine at which a copy is stopped after some changes.
type stopping struct {
	*memspool.Spool
	left atomic.Int64
	stop func()
}

func stopsAfter(s *memspool.Spool, changes int, stop func()) *stopping {
	e := &stopping{Spool: s, stop: stop}
	e.left.Store(int64(changes))
	return e
}

func (s *stopping) change() error {
	if s.left.Add(-1) <= 0 {
		s.stop()
		return context.Canceled
	}
	return nil
}

func (s *stopping) Import(ctx context.Context, items []spool.Item, c mail.Content) error {
	if err := s.change(); err != nil {
		return err
	}
	return s.Spool.Import(ctx, items, c)
}

func (s *stopping) ImportFacts(ctx context.Context, facts []spool.Fact) error {
	half := len(facts) / 2
	if err := s.Spool.ImportFacts(ctx, facts[:half]); err != nil {
		return err
	}
	if err := s.change(); err != nil {
		return err
	}
	return s.Spool.ImportFacts(ctx, facts[half:])
}

func (s *stopping) PutState(ctx context.Context, st spool.State, was uint64) (uint64, error) {
	if err := s.change(); err != nil {
		return 0, err
	}
	return s.Spool.PutState(ctx, st, was)
}

// TestWhatIsNotCopiedInto: a spool that holds mail, the target of another copy, one with
// which a house works.
func TestWhatIsNotCopiedInto(t *testing.T) {
	ctx := t.Context()
	copies := func(from, to *memspool.Spool, name string, want error) {
		t.Helper()
		_, err := transfer.Copy(ctx, transfer.End{Engine: from, Name: name}, transfer.End{Engine: to, Name: "there"}, transfer.Options{Keep: true})
		if !errors.Is(err, want) {
			t.Errorf("from %s: %v, want %v", name, err, want)
		}
	}
	from, to := memspool.New(memspool.Options{}), memspool.New(memspool.Options{})
	fill(t, to, 1)
	copies(from, to, "here", transfer.ErrNotEmpty)

	to = memspool.New(memspool.Options{})
	if _, err := to.Join(ctx, "mx1", time.Minute); err != nil {
		t.Fatal(err)
	}
	copies(from, to, "here", transfer.ErrInUse)

	to = memspool.New(memspool.Options{})
	half := stopsAfter(to, 3, func() {})
	other := memspool.New(memspool.Options{})
	fill(t, other, 3)
	if _, err := transfer.Copy(ctx, transfer.End{Engine: other, Name: "elsewhere"}, transfer.End{Engine: half, Name: "there"}, transfer.Options{}); err == nil {
		t.Fatal("it was not stopped")
	}
	copies(from, to, "here", transfer.ErrMarked)
	if had, err := transfer.Release(ctx, to); !had || err != nil {
		t.Errorf("release: %v, %v", had, err)
	}
	if err := transfer.Usable(ctx, to); err != nil {
		t.Errorf("after its release: %v", err)
	}
}

// TestACopyThatDiffersIsTold, and the target stays marked.
func TestACopyThatDiffersIsTold(t *testing.T) {
	from, to := memspool.New(memspool.Options{}), memspool.New(memspool.Options{})
	fill(t, from, 3)
	_, err := transfer.Copy(t.Context(), transfer.End{Engine: from, Name: "here"}, transfer.End{Engine: forgetful{to}, Name: "there"}, transfer.Options{})
	if !errors.Is(err, transfer.ErrDiffers) || !errors.Is(transfer.Usable(t.Context(), to), transfer.ErrMarked) {
		t.Errorf("%v; then %v", err, transfer.Usable(t.Context(), to))
	}
	if err := transfer.Usable(t.Context(), from); err != nil {
		t.Errorf("the source: %v", err)
	}
}

// forgetful is an engine that forgets who was told of a delay.
type forgetful struct{ *memspool.Spool }

func (s forgetful) Import(ctx context.Context, items []spool.Item, c mail.Content) error {
	for i := range items {
		items[i].Standing.Attempts = 0
	}
	return s.Spool.Import(ctx, items, c)
}

// fill puts messages into an engine that stand in all ways.
func fill(t *testing.T, s spool.Engine, n int) {
	t.Helper()
	ctx := t.Context()
	owner, err := s.Join(ctx, "before", time.Hour)
	must(t, err)
	for i := range n {
		size := 100
		if i%5 == 4 {
			size = 300_000
		}
		d, err := s.Begin(ctx, int64(size))
		must(t, err)
		_, err = d.Write([]byte(strings.Repeat("rain and snow\r\n", size/15)))
		must(t, err)
		env := mail.Envelope{From: path("ann@sohu.example"), Arrived: time.Now(), Subject: "你好", Source: mail.Source{Listener: "mx"}}
		for r := range 1 + i%3 {
			to := path(fmt.Sprintf("bob%d@sina.example", r))
			env.To = append(env.To, mail.Recipient{To: to, Original: to})
		}
		_, err = d.Commit(ctx, spool.Commit{Envelope: env, Prepend: []byte("Received: by us\r\n"), For: owner, Facts: []spool.Fact{{At: time.Now(), Data: []byte("arrived")}}})
		must(t, err)
		change(t, s, owner, d.ID(), i)
	}
	for _, st := range []spool.State{{Room: "greylist", Key: "a", Value: []byte("x"), Expires: time.Now().Add(24 * time.Hour)}, {Room: "sts", Key: "b", Value: []byte("y")}} {
		_, err := s.PutState(ctx, st, 0)
		must(t, err)
	}
	leased := true
	page, err := s.List(ctx, spool.Query{Filter: spool.Filter{Leased: &leased}})
	must(t, err)
	for i := range page.Items {
		must(t, s.Release(ctx, owner, []spool.Ref{page.Items[i].Ref()}))
	}
	_, err = s.Join(ctx, "before", time.Nanosecond) // nobody works with it any more
	must(t, err)
}

// change has something become of the ith message.
func change(t *testing.T, s spool.Engine, owner spool.Owner, id mail.ID, i int) {
	t.Helper()
	ctx := t.Context()
	st := spool.Standing{
		Fate: mail.Deferred, Due: time.Now().Add(time.Hour), Destination: "sina.example", Attempts: 3, DelayTold: true,
		Last: mail.Outcome{Fate: mail.Deferred, At: time.Now(), Host: "mx", Reply: smtp.Replyf(450, smtp.EnhancedCode{4, 7, 1}, "later")},
	}
	switch i % 4 {
	case 1:
		if i%3 > 0 { // there is another recipient
			st = spool.Standing{Fate: mail.Relayed}
		}
		fallthrough
	case 2:
		_, err := s.Settle(ctx, owner, []spool.Settlement{{ID: id, Results: []spool.Standing{st}, Facts: []spool.Fact{{At: time.Now(), Data: []byte("tried")}}}})
		must(t, err)
	case 3:
		_, err := s.Alter(ctx, spool.Query{Filter: spool.Filter{ID: id}}, spool.Order{Verb: spool.Hold, At: time.Now(), By: "root", Reason: "said so"}, nil)
		must(t, err)
	}
}

// holding is what an engine holds, as people would see it.
type holding struct {
	Items  []spool.Item
	Texts  map[mail.ID]string
	Facts  []spool.Fact
	States []spool.State
	Stats  spool.Stats
}

// same compares them: times by instant, nobody's versions, and a fresh recipient who
// may have been tried is one that waits.
var same = cmp.Options{
	cmp.Comparer(func(a, b smtp.Path) bool { return a == b }),
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	cmpopts.EquateComparable(mail.Source{}.Client),
	cmpopts.IgnoreFields(spool.State{}, "Version"),
	cmpopts.IgnoreFields(spool.Stats{}, "Free", "Disk", "Floor", "States", "FactBytes"),
	cmpopts.IgnoreFields(spool.Item{}, "Owner"),
	cmpopts.EquateEmpty(),
}

func contents(t *testing.T, s spool.Engine) holding {
	t.Helper()
	ctx := t.Context()
	h := holding{Texts: map[mail.ID]string{}}
	page, err := s.List(ctx, spool.Query{})
	must(t, err)
	h.Items = page.Items
	for _, it := range page.Items {
		c, err := s.Open(ctx, it.Envelope.ID)
		must(t, err)
		r, err := c.Open()
		must(t, err)
		b, err := io.ReadAll(r)
		must(t, errors.Join(err, r.Close()))
		h.Texts[it.Envelope.ID] = string(b)
	}
	facts, err := s.Facts(ctx, spool.FactQuery{})
	must(t, err)
	h.Facts = facts.Facts
	for _, room := range []string{"greylist", "sts"} {
		states, err := s.States(ctx, room, "", 0)
		must(t, err)
		h.States = append(h.States, states...)
	}
	h.Stats, err = s.Stats(ctx)
	must(t, err)
	return h
}

// sends leases and settles all that may be tried, until nothing but the held is left.
func sends(t *testing.T, s spool.Engine, n int64) {
	t.Helper()
	ctx := t.Context()
	_, err := s.Alter(ctx, spool.Query{}, spool.Order{Verb: spool.Free, At: time.Now()}, nil)
	must(t, err)
	_, err = s.Alter(ctx, spool.Query{}, spool.Order{Verb: spool.Retry, At: time.Now()}, nil)
	must(t, err)
	owner, err := s.Join(ctx, "after", time.Minute)
	must(t, err)
	taken, err := s.Lease(ctx, owner, spool.Want{Recipients: 1000})
	must(t, err)
	for _, l := range taken.Leases {
		for i := range l.Recipients {
			l.Recipients[i].Fate = mail.Relayed
		}
		_, err := s.Settle(ctx, owner, []spool.Settlement{{ID: l.Envelope.ID, Results: l.Recipients}})
		must(t, err)
	}
	if st, err := s.Stats(ctx); err != nil || st.Messages != 0 || st.Fresh+st.Waiting+st.Held != 0 || int64(len(taken.Leases)) != n {
		t.Errorf("%d leased, and left: %+v, %v", len(taken.Leases), st, err)
	}
	whole(t, s)
}

// whole looks for what is not as it should be, in an engine that can be checked.
func whole(t *testing.T, s spool.Engine) {
	t.Helper()
	if c, is := s.(interface {
		Check(context.Context, func(int64)) (spool.Checked, error)
	}); is {
		if found, err := c.Check(t.Context(), nil); err != nil || len(found.Problems) > 0 {
			t.Errorf("check: %+v, %v", found.Problems, err)
		}
	}
}

func shut(t *testing.T, engines ...transfer.Engine) {
	t.Helper()
	for _, e := range engines {
		must(t, e.Close())
	}
}

func path(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
