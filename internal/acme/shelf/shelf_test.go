package shelf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/posthouse/posthouse/internal/acme/shelf"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// stores are those that the suite runs over; each call makes another node of the same store.
func stores(t *testing.T) map[string]func() certmagic.Storage {
	dir := t.TempDir()
	open, hidden := memspool.New(memspool.Options{}), memspool.New(memspool.Options{})
	return map[string]func() certmagic.Storage{
		"files":  func() certmagic.Storage { return &certmagic.FileStorage{Path: dir} },
		"states": func() certmagic.Storage { return shelf.New(shelf.Options{States: open}) },
		"sealed": func() certmagic.Storage {
			return shelf.New(shelf.Options{States: hidden, Key: secret("0123456789abcdef")})
		},
	}
}

func secret(s string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(s), nil } }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatOneNodeKeepsOthersFind(t *testing.T) {
	for name, node := range stores(t) {
		t.Run(name, func(t *testing.T) {
			ctx, one, other := t.Context(), node(), node()
			check(t, one.Store(ctx, "certificates/ca/mx.example/mx.example.crt", []byte("chain")))
			check(t, one.Store(ctx, "certificates/ca/mx.example/mx.example.key", []byte("key")))
			check(t, one.Store(ctx, "certificates/ca/mx.example-2/x.crt", nil))
			check(t, one.Store(ctx, "acme/ca/users/default/default.json", []byte("{}")))
			check(t, one.Store(ctx, "certificates/ca/mx.example/mx.example.crt", []byte("another chain")))

			if got, err := other.Load(ctx, "certificates/ca/mx.example/mx.example.crt"); err != nil || string(got) != "another chain" {
				t.Errorf("%q, %v", got, err)
			}
			if got, err := other.Load(ctx, "certificates/ca/mx.example-2/x.crt"); err != nil || len(got) != 0 {
				t.Errorf("%q, %v", got, err)
			}
			for at, want := range map[string]string{
				"certificates":               "certificates/ca",
				"certificates/ca":            "certificates/ca/mx.example certificates/ca/mx.example-2",
				"certificates/ca/mx.example": "certificates/ca/mx.example/mx.example.crt certificates/ca/mx.example/mx.example.key",
			} {
				if got, err := other.List(ctx, at, false); err != nil || sorted(got) != want {
					t.Errorf("list %s: %q, %v", at, sorted(got), err)
				}
			}
			got, err := other.List(ctx, "acme", true)
			if want := "acme/ca acme/ca/users acme/ca/users/default acme/ca/users/default/default.json"; err != nil || sorted(got) != want {
				t.Errorf("%q, %v", sorted(got), err)
			}
			info, err := other.Stat(ctx, "certificates/ca/mx.example/mx.example.key")
			if err != nil || info.Size != 3 || !info.IsTerminal || time.Since(info.Modified).Abs() > time.Hour {
				t.Errorf("%+v, %v", info, err)
			}
			if info, err := other.Stat(ctx, "certificates/ca"); err != nil || info.IsTerminal {
				t.Errorf("%+v, %v", info, err)
			}

			check(t, other.Delete(ctx, "certificates/ca/mx.example"))
			check(t, other.Delete(ctx, "certificates/ca/mx.example"))
			for _, key := range []string{"certificates/ca/mx.example/mx.example.crt", "certificates/ca/mx.example", "certificates/ca/mx", "nothing"} {
				absent(t, one, key)
			}
			if !one.Exists(ctx, "certificates/ca/mx.example-2/x.crt") || !one.Exists(ctx, "certificates") {
				t.Error("more was deleted than was named")
			}
		})
	}
}

// absent sees that nothing is at a key, nor below it.
func absent(t *testing.T, s certmagic.Storage, key string) {
	t.Helper()
	_, err := s.Load(t.Context(), key)
	_, err2 := s.Stat(t.Context(), key)
	_, err3 := s.List(t.Context(), key, true)
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err2, fs.ErrNotExist) || !errors.Is(err3, fs.ErrNotExist) || s.Exists(t.Context(), key) {
		t.Errorf("%s: %v, %v, %v", key, err, err2, err3)
	}
}

func sorted(all []string) string { return strings.Join(slices.Sorted(slices.Values(all)), " ") }

func TestOneAtATimeHasALock(t *testing.T) {
	for name, node := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for its looks at the lock
			ctx, one, other := t.Context(), node(), node()
			check(t, one.Lock(ctx, "issue_cert_mx.example"))
			check(t, other.Lock(ctx, "issue_cert_mx2.example")) // another
			check(t, other.Unlock(ctx, "issue_cert_mx2.example"))
			brief, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			if err := other.Lock(brief, "issue_cert_mx.example"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("two have it: %v", err)
			}
			cancel()
			var free atomic.Bool
			got := make(chan error)
			go func() {
				err := other.Lock(ctx, "issue_cert_mx.example")
				if !free.Load() {
					err = errors.New("it was not free")
				}
				got <- err
			}()
			free.Store(true)
			check(t, one.Unlock(ctx, "issue_cert_mx.example"))
			check(t, <-got)
			check(t, other.Unlock(ctx, "issue_cert_mx.example"))
			if err := other.Unlock(ctx, "issue_cert_mx.example"); err == nil {
				t.Error("what nobody has was unlocked")
			}
		})
	}
}

// mortal is the way to states of a node that may die, or be cut off.
type mortal struct {
	kept
	dead atomic.Bool
}

type kept = spool.States // by another name than that of its method

var errDead = errors.New("it is dead")

func (m *mortal) State(ctx context.Context, room, key string) (spool.State, error) {
	if m.dead.Load() {
		return spool.State{}, errDead
	}
	return m.kept.State(ctx, room, key)
}

func (m *mortal) PutState(ctx context.Context, s spool.State, was uint64) (uint64, error) {
	if m.dead.Load() {
		return 0, errDead
	}
	return m.kept.PutState(ctx, s, was)
}

// TestADeadNodeHoldsNothing: but one that lives keeps its lock for as long as it wants.
func TestADeadNodeHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memspool.New(memspool.Options{})
		defer engine.Close()
		way := &mortal{kept: engine}
		one, other := shelf.New(shelf.Options{States: way}), shelf.New(shelf.Options{States: engine})
		check(t, one.Lock(t.Context(), "x"))
		got := make(chan time.Time)
		go func() {
			if err := other.Lock(t.Context(), "x"); err != nil {
				t.Error(err)
			}
			got <- time.Now()
		}()
		time.Sleep(time.Hour)
		select {
		case <-got:
			t.Fatal("it was taken from who lives")
		default:
		}
		way.dead.Store(true)
		died := time.Now()
		if waited := (<-got).Sub(died); waited < 45*time.Second || waited > 62*time.Second {
			t.Errorf("it was held for %v after the holder's death", waited)
		}
		way.dead.Store(false) // it was only away, and comes to its end
		time.Sleep(time.Minute)
		check(t, one.Unlock(t.Context(), "x"))
		brief, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := one.Lock(brief, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who came back has taken it from who has it: %v", err)
		}
		check(t, other.Unlock(t.Context(), "x"))
		check(t, one.Lock(t.Context(), "x"))
		check(t, one.Unlock(t.Context(), "x"))
	})
}

// TestNobodyReadsAKeyInTheDatabase if there is a secret to seal it with; a node with another
// secret, or with none, is told.
func TestNobodyReadsAKeyInTheDatabase(t *testing.T) {
	ctx, engine := t.Context(), memspool.New(memspool.Options{})
	defer engine.Close()
	before := shelf.New(shelf.Options{States: engine})
	sealing := shelf.New(shelf.Options{States: engine, Key: secret("0123456789abcdef")})
	check(t, before.Store(ctx, "old", []byte("canary of before")))
	check(t, sealing.Store(ctx, "new", []byte("canary")))
	if got, err := sealing.Load(ctx, "old"); err != nil || string(got) != "canary of before" {
		t.Errorf("what was there before: %q, %v", got, err)
	}
	kept, err := engine.State(ctx, shelf.Room, "new")
	check(t, err)
	if bytes.Contains(kept.Value, []byte("canary")) {
		t.Errorf("%q", kept.Value)
	}
	for name, s := range map[string]*shelf.Shelf{"no key": before, "another key": shelf.New(shelf.Options{States: engine, Key: secret("fedcba9876543210")})} {
		if _, err := s.Load(ctx, "new"); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "seal_key") {
			t.Errorf("%s: %v", name, err)
		}
		if !s.Exists(ctx, "new") {
			t.Errorf("%s: it would be got again", name)
		}
	}
	_, err = engine.PutState(ctx, spool.State{Room: shelf.Room, Key: "moved", Value: kept.Value}, 0)
	check(t, err)
	if _, err := sealing.Load(ctx, "moved"); err == nil {
		t.Error("what was sealed for one place was read at another")
	}
}

func TestKeysAndValuesHaveBounds(t *testing.T) {
	engine := memspool.New(memspool.Options{})
	defer engine.Close()
	s := shelf.New(shelf.Options{States: engine, Key: secret("0123456789abcdef")})
	for _, key := range []string{"", "/", "/a", "a/", "a//b", "a/../b", "..", ".", "a/./b", strings.Repeat("x", spool.MaxName+1)} {
		if err := s.Store(t.Context(), key, nil); !errors.Is(err, spool.ErrLimit) {
			t.Errorf("%q was kept: %v", key, err)
		}
		if err := s.Lock(t.Context(), key); !errors.Is(err, spool.ErrLimit) {
			t.Errorf("%q was locked: %v", key, err)
		}
		if _, err := s.Load(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", key, err)
		}
		check(t, s.Delete(t.Context(), key))
	}
	check(t, s.Store(t.Context(), strings.Repeat("x", spool.MaxName), make([]byte, 63<<10)))
	if err := s.Store(t.Context(), "big", make([]byte, 63<<10+1)); !errors.Is(err, spool.ErrLimit) {
		t.Errorf("too much was kept: %v", err)
	}
}

// TestManyAreListed: more than a page of states, with a neighbour on each side.
func TestManyAreListed(t *testing.T) {
	engine := memspool.New(memspool.Options{})
	defer engine.Close()
	s := shelf.New(shelf.Options{States: engine})
	const many = 2*spool.MaxPage + 1
	for i := range many {
		check(t, s.Store(t.Context(), fmt.Sprintf("m/%05d/x", i), nil))
	}
	check(t, s.Store(t.Context(), "m-/x", nil))
	check(t, s.Store(t.Context(), "m0/x", nil))
	if got, err := s.List(t.Context(), "m", false); err != nil || len(got) != many {
		t.Errorf("%d, %v", len(got), err)
	}
	check(t, s.Delete(t.Context(), "m"))
	if got, err := s.List(t.Context(), "", true); err != nil || sorted(got) != "m- m-/x m0 m0/x" {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzShelf: whatever stands in a database, and whatever something is called, is read or
// refused; and what was written is read as it was.
func FuzzShelf(f *testing.F) {
	f.Add("certificates/ca/mx.example/mx.example.key", []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00key"))
	f.Add("a//b", []byte("\x02\x00\x00\x00\x00\x00\x00\x00\x00sealed, or not at all"))
	f.Add("..", []byte{})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		ctx, engine := t.Context(), memspool.New(memspool.Options{})
		defer engine.Close()
		s := shelf.New(shelf.Options{States: engine, Key: secret("0123456789abcdef")})
		if _, err := engine.PutState(ctx, spool.State{Room: shelf.Room, Key: key, Value: append([]byte{}, value...)}, 0); err == nil {
			_, err := s.Load(ctx, key)
			_, err2 := s.Stat(ctx, key)
			if (err == nil) != (err2 == nil) {
				t.Errorf("%v, %v", err, err2)
			}
		}
		if err := s.Store(ctx, key, value); err != nil {
			if !errors.Is(err, spool.ErrLimit) {
				t.Error(err)
			}
			return
		}
		got, err := s.Load(ctx, key)
		if err != nil || !bytes.Equal(got, value) {
			t.Errorf("%q was kept as %q: %v", value, got, err)
		}
		if all, err := s.List(ctx, "", true); err != nil || !slices.Contains(all, key) {
			t.Errorf("%q, %v", all, err)
		}
		check(t, s.Delete(ctx, key))
		absent(t, s, key)
	})
}
