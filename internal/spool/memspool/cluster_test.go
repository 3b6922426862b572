package memspool_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// woken says whether somebody has left something.
func woken(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestWhoIsWoken: the others are, by what anybody may take; a node by nothing that
// it has done itself.
func TestWhoIsWoken(t *testing.T) {
	ctx := t.Context()
	s := memspool.New(memspool.Options{})
	one, two := s.Wake("one"), s.Wake("two")
	expect := func(what string, first, second bool) {
		t.Helper()
		if a, b := woken(one), woken(two); a != first || b != second {
			t.Errorf("%s: one %v, two %v", what, a, b)
		}
	}
	owner, err := s.Join(ctx, "one", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	expect("a node that joins", false, false)
	lease := commit(t, s, owner)
	expect("mail that is leased at once", false, false)
	commit(t, s, spool.Owner{})
	expect("mail that nobody has", true, true)
	if err := s.Release(ctx, owner, []spool.Ref{{ID: lease.Envelope.ID}}); err != nil {
		t.Fatal(err)
	}
	expect("mail given back", false, true)
	if _, err := s.Alter(ctx, spool.Query{}, spool.Order{Verb: spool.Retry, At: time.Now()}, nil); err != nil {
		t.Fatal(err)
	}
	expect("an order", true, true)
	if err := s.Drain(ctx, "one", true); err != nil {
		t.Fatal(err)
	}
	expect("a drain", true, true)
}

func commit(t *testing.T, s *memspool.Spool, owner spool.Owner) *spool.Lease {
	t.Helper()
	d, err := s.Begin(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := d.Commit(t.Context(), spool.Commit{For: owner, Envelope: mail.Envelope{To: make([]mail.Recipient, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

// TestNodesAreKnown: with what they hold, whether they live, and whether they drain,
// which outlives them.
func TestNodesAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := memspool.New(memspool.Options{})
		if err := s.Drain(ctx, "one", true); !errors.Is(err, spool.ErrNotFound) {
			t.Errorf("a node that nobody knows drains: %v", err)
		}
		owner, err := s.Join(ctx, "one", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, owner)
		if err := s.Drain(ctx, "one", true); err != nil {
			t.Fatal(err)
		}
		check := func(alive, draining bool, leases int64) {
			t.Helper()
			all, err := s.Nodes(ctx)
			if err != nil || len(all) != 1 || all[0].Alive(time.Now()) != alive || all[0].Draining != draining || all[0].Leases != leases {
				t.Errorf("%+v, %v", all, err)
			}
		}
		check(true, true, 1)
		time.Sleep(time.Minute)
		check(false, true, 0)
		if _, err := s.Join(ctx, "one", time.Minute); err != nil {
			t.Fatal(err)
		}
		check(true, true, 0)
		s = s.Crash()
		check(false, true, 0)
		if on, err := s.Draining(ctx, "one"); !on || err != nil {
			t.Errorf("after a crash: %v, %v", on, err)
		}
	})
}
