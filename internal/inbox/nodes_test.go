package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
)

// table is states in memory.
type table struct {
	mu      sync.Mutex
	rows    map[string]row
	version uint64
}

type row struct {
	value   []byte
	version uint64
}

// way is how one node comes to the table; it can be cut after so many writes.
type way struct {
	*table
	left int // -1: as many as it wants
	cut  bool
}

var errAway = errors.New("the table is away")

func (w *way) Get(_ context.Context, room, key string) ([]byte, uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, 0, errAway
	}
	r, ok := w.rows[room+"\x00"+key]
	if !ok {
		return nil, 0, inbox.ErrNotFound
	}
	return slices.Clone(r.value), r.version, nil
}

func (w *way) Put(_ context.Context, room, key string, value []byte, was uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut = w.cut || w.left == 0; w.cut {
		return errAway
	}
	if len(value) > 64<<10 {
		return errors.New("too much")
	}
	key = room + "\x00" + key
	if w.rows[key].version != was {
		return inbox.ErrConflict
	}
	w.left--
	if w.version++; value == nil {
		delete(w.rows, key)
	} else {
		w.rows[key] = row{slices.Clone(value), w.version}
	}
	return nil
}

func (w *way) List(_ context.Context, room, after string) (page []inbox.Value, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, errAway
	}
	for key, r := range w.rows {
		if name, ok := strings.CutPrefix(key, room+"\x00"); ok && name > after {
			page = append(page, inbox.Value{Key: name, Value: slices.Clone(r.value)})
		}
	}
	slices.SortFunc(page, func(a, b inbox.Value) int { return strings.Compare(a.Key, b.Key) })
	return page[:min(len(page), 7)], nil
}

func (w *way) heal(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut, w.left = cut, -1
}

// node opens a store on a table, and joins the others.
func node(t *testing.T, tab *table, k inbox.Keep) (*inbox.Store, *way) {
	t.Helper()
	w := &way{table: tab, left: -1}
	s := open(t, inbox.Options{States: w, Keep: k})
	if err := s.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, w
}

// settle waits until every node has looked what the others do.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func TestNodesShowTheSameInboxes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab := &table{rows: map[string]row{}}
		a, _ := node(t, tab, inbox.Keep{Messages: 3})
		b, _ := node(t, tab, inbox.Keep{Messages: 3})
		heard := b.Follow("", inbox.Query{}, mail.ID{})
		waited := make(chan inbox.Message)
		go func() {
			m, err := b.Wait(t.Context(), "shop", inbox.Subject("one"), mail.ID{})
			if err != nil {
				t.Error(err)
			}
			waited <- m
		}()
		long := strings.Repeat("words that are many\r\n", 10_000)
		one := put(t, a, "shop", "one", long)
		if m := <-waited; m.ID != one.ID || !m.Arrived.Equal(one.Arrived) || m.Size != one.Size {
			t.Errorf("%+v", m)
		}
		if news, err := heard.Next(t.Context()); err != nil || len(news) != 1 || news[0].ID != one.ID {
			t.Errorf("%+v, %v", news, err)
		}
		if text := sourceOf(t, b, one.ID); !strings.HasSuffix(text, long) || text != sourceOf(t, a, one.ID) {
			t.Errorf("the source has %d octets", len(text))
		}
		if l, err := b.Letter(t.Context(), "shop", one.ID); err != nil || l.Subject != "one" {
			t.Error(err)
		}

		two := put(t, b, "shop", "two", "")
		put(t, b, "other", "three", "")
		if err := b.Mark("shop", one.ID, true); err != nil {
			t.Fatal(err)
		}
		if err := b.Continue("shop", one.ID, []inbox.Line{{Text: "and so on"}}); err != nil {
			t.Fatal(err)
		}
		settle()
		c, _ := node(t, tab, inbox.Keep{Messages: 3})
		for name, s := range map[string]*inbox.Store{"a": a, "b": b, "c": c} {
			if got := subjects(t, s, "", ""); got != "three two one" {
				t.Errorf("%s shows %s", name, got)
			}
			if got := subjects(t, s, "shop", "words"); got != "one" {
				t.Errorf("%s finds %s", name, got)
			}
			if m, err := s.Get("shop", one.ID); err != nil || !m.Read {
				t.Errorf("%s: %+v, %v", name, m, err)
			}
			if said, err := s.Dialogue("shop", one.ID); err != nil || len(said) != 1 || said[0].Text != "and so on" {
				t.Errorf("%s: %v, %v", name, said, err)
			}
		}

		if n := c.Delete("shop", two.ID); n != 1 {
			t.Errorf("%d were deleted", n)
		}
		for _, m := range []string{"4", "5", "6"} {
			put(t, c, "shop", m, "")
		}
		settle()
		for name, s := range map[string]*inbox.Store{"a": a, "b": b, "c": c} {
			if got := subjects(t, s, "", ""); got != "6 5 4 three" {
				t.Errorf("%s shows %s", name, got)
			}
		}
		if n := a.DeleteAll("", inbox.Query{}); n != 4 {
			t.Errorf("%d were deleted", n)
		}
		settle()
		for key := range tab.rows {
			if !strings.HasPrefix(key, "inbox-log") {
				t.Errorf("%q is left", key)
			}
		}
		if got := subjects(t, b, "", ""); got != "" {
			t.Errorf("b shows %s", got)
		}
	})
}

func sourceOf(t *testing.T, s *inbox.Store, id mail.ID) string {
	t.Helper()
	f, err := s.Open("", id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNodesAtOnce: whoever writes when, all show all of it.
func TestNodesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab := &table{rows: map[string]row{}}
		var all []*inbox.Store
		var work sync.WaitGroup
		for n := range 3 {
			s, _ := node(t, tab, inbox.Keep{})
			all = append(all, s)
			work.Go(func() {
				for i := range 40 {
					m := put(t, s, fmt.Sprint(n), fmt.Sprint(i), "")
					if i%4 == 0 {
						s.Delete("", m.ID)
					}
				}
			})
		}
		work.Wait()
		settle()
		for n, s := range all {
			p := s.List("", inbox.Query{}, mail.ID{}, 1000)
			if p.Found != 90 || len(s.Inboxes()) != 3 {
				t.Errorf("node %d shows %d messages", n, p.Found)
			}
		}
	})
}

// TestANodeThatWasAway: what it missed it takes over, also if that is more than is remembered of.
func TestANodeThatWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab := &table{rows: map[string]row{}}
		a, _ := node(t, tab, inbox.Keep{})
		b, way := node(t, tab, inbox.Keep{})
		first := put(t, a, "", "first", "")
		gone := put(t, a, "", "gone", "")
		settle()
		way.heal(true)
		if _, err := b.Put(t.Context(), inbox.Arrival{}, strings.NewReader("Subject: no\r\n\r\n")); !errors.Is(err, errAway) {
			t.Errorf("it was taken in: %v", err)
		}
		put(t, a, "", "second", "")
		settle()
		if got := subjects(t, b, "", ""); got != "gone first" {
			t.Errorf("b shows %s", got)
		}
		way.heal(false)
		settle()
		if got := subjects(t, b, "", ""); got != "second gone first" {
			t.Errorf("b shows %s", got)
		}
		way.heal(true)
		a.Delete("", gone.ID)
		tab.mu.Lock()
		for key := range tab.rows { // as if 10,000 changes had followed
			if strings.HasPrefix(key, "inbox-log") && !strings.HasSuffix(key, "04") {
				delete(tab.rows, key)
			}
		}
		tab.mu.Unlock()
		put(t, a, "", "third", "")
		tab.mu.Lock()
		for key := range tab.rows {
			if strings.HasPrefix(key, "inbox-log") && strings.HasSuffix(key, "04") {
				delete(tab.rows, key)
			}
		}
		tab.mu.Unlock()
		if err := a.Mark("", first.ID, true); err != nil {
			t.Fatal(err)
		}
		way.heal(false)
		settle()
		if got := subjects(t, b, "", ""); got != "third second first" {
			t.Errorf("b shows %s", got)
		}
		if m, _ := b.Get("", first.ID); !m.Read {
			t.Errorf("%+v", m)
		}
	})
}

// TestHalfAMessageIsNone: wherever its node dies, a message that was not taken in is shown by
// nobody, or whole.
func TestHalfAMessageIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("words that are many\r\n", 10_000)
		for left := 0; ; left++ {
			tab := &table{rows: map[string]row{}}
			a, way := node(t, tab, inbox.Keep{})
			b, _ := node(t, tab, inbox.Keep{})
			way.left = left
			_, err := a.Put(t.Context(), inbox.Arrival{Inbox: "x"}, strings.NewReader("Subject: hi\r\n\r\n"+long))
			settle()
			c, _ := node(t, tab, inbox.Keep{})
			for name, s := range map[string]*inbox.Store{"b": b, "c": c} {
				for _, m := range s.List("", inbox.Query{}, mail.ID{}, 10).Messages {
					if text := sourceOf(t, s, m.ID); !strings.HasSuffix(text, long) {
						t.Errorf("after %d writes %s shows half a message", left, name)
					}
				}
				if found := s.List("", inbox.Query{}, mail.ID{}, 10).Found; err == nil && found != 1 {
					t.Errorf("after %d writes %s shows %d", left, name, found)
				}
			}
			if err == nil {
				if left < 5 {
					t.Errorf("it took %d writes only", left)
				}
				return
			}
		}
	})
}

// FuzzStates: whatever stands in a database, it is shown or passed over.
func FuzzStates(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01{\"message\":{\"id\":\"06h0k411mfd67163e5vg\",\"inbox\":\"x\"}}"), []byte("\x00\x00\x00\x01Subject: hi\r\n\r\n"), []byte(`{"inbox":"x","id":"06h0k411mfd67163e5vg"}`))
	f.Add([]byte("\x00\x00\x00\x02{"), []byte("\xff\xff\xff\xff"), []byte(`{"gone":true,"inbox":"x","id":"06h0k411mfd67163e5vg"}`))
	f.Add([]byte{}, []byte{0}, []byte("null"))
	f.Fuzz(func(t *testing.T, record, source, change []byte) {
		const id = "06h0k411mfd67163e5vg"
		tab := &table{version: 3, rows: map[string]row{
			"inbox-record\x00" + id + "/00000":        {record, 1},
			"inbox-source\x00" + id + "/00000":        {source, 2},
			"inbox-log\x00" + fmt.Sprintf("%020d", 1): {change, 3},
		}}
		s, w := node(t, tab, inbox.Keep{Age: -1})
		if err := w.Put(t.Context(), "inbox-log", fmt.Sprintf("%020d", 2), change, 0); err != nil {
			t.Fatal(err)
		}
		put(t, s, "y", "mine", "") // behind whatever that was
		for _, m := range s.List("", inbox.Query{}, mail.ID{}, 10).Messages {
			if f, err := s.Open("", m.ID); err == nil {
				_ = f.Close()
			}
			_ = s.Mark("", m.ID, true)
		}
		again, _ := node(t, tab, inbox.Keep{Age: -1})
		if n := again.List("y", inbox.Query{}, mail.ID{}, 10).Found; n != 1 {
			t.Errorf("%d messages in y", n)
		}
	})
}
