package pebblespool_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// TestAClockThatGoesBack: mail that was deferred by a clock a year ahead is due within
// the longest that mail is put off, and not in a year; but what its sender wants to
// be held until then is. Each bubble begins with the same clock.
func TestAClockThatGoesBack(t *testing.T) {
	fs := vfs.NewMem()
	var nextYear time.Time
	synctest.Test(t, func(t *testing.T) {
		nextYear = time.Now().AddDate(1, 0, 0)
		time.Sleep(time.Until(nextYear))
		s, err := pebblespool.Open(dir, small(fs))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		owner := mustJoin(t, s)
		for _, to := range []string{"ann@sina.example", "bob@sina.example", "eve@sohu.example"} {
			putOff(t, s, owner, to, nextYear.Add(time.Hour))
		}
		later := envelopeTo("joe@sina.example")
		later.HoldUntil = nextYear.AddDate(0, 0, 3)
		take(t, s, owner, later)
	})
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		opts := small(fs)
		opts.LatestRetry = 2 * time.Hour
		s, err := pebblespool.Open(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		page, err := s.List(t.Context(), spool.Query{})
		if err != nil || len(page.Items) != 4 {
			t.Fatalf("%d recipients, %v", len(page.Items), err)
		}
		for _, it := range page.Items {
			want := began.Add(opts.LatestRetry)
			if held := it.Envelope.HoldUntil; !held.IsZero() {
				want = held
			}
			if !it.Standing.Due.Equal(want) {
				t.Errorf("%s is due %v, want %v", it.Envelope.To[0].To, it.Standing.Due, want)
			}
		}
		owner := mustJoin(t, s)
		if taken, err := s.Lease(t.Context(), owner, spool.Want{Recipients: 10}); err != nil || len(taken.Leases) > 0 || !taken.Next.Equal(began.Add(opts.LatestRetry)) {
			t.Errorf("at once: %d leases, next at %v, %v", len(taken.Leases), taken.Next, err)
		}
		time.Sleep(opts.LatestRetry)
		owner = mustJoin(t, s)
		if taken, err := s.Lease(t.Context(), owner, spool.Want{Recipients: 10}); err != nil || len(taken.Leases) != 3 {
			t.Errorf("when it is due: %d leases, %v", len(taken.Leases), err)
		}
		if checked, err := s.Check(t.Context(), nil); err != nil || len(checked.Problems) > 0 {
			t.Errorf("the spool has %v, %v", checked.Problems, err)
		}
	})
}

// TestAClockThatGoesOn: what is due late for another reason stays so.
func TestAClockThatGoesOn(t *testing.T) {
	fs := vfs.NewMem()
	synctest.Test(t, func(t *testing.T) {
		s, err := pebblespool.Open(dir, small(fs))
		if err != nil {
			t.Fatal(err)
		}
		due := time.Now().Add(24 * time.Hour)
		putOff(t, s, mustJoin(t, s), "ann@sina.example", due)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = pebblespool.Open(dir, small(fs)); err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		page, err := s.List(t.Context(), spool.Query{})
		if err != nil || len(page.Items) != 1 || !page.Items[0].Standing.Due.Equal(due) {
			t.Errorf("got %+v, %v", page.Items, err)
		}
	})
}

// take commits a message, and leases what can be leased.
func take(t *testing.T, s *pebblespool.Spool, owner spool.Owner, e mail.Envelope) spool.Taken {
	t.Helper()
	d, err := s.Begin(t.Context(), 0)
	if err == nil {
		_, err = d.Write([]byte("Hello.\r\n"))
	}
	if err == nil {
		_, err = d.Commit(t.Context(), spool.Commit{Envelope: e})
	}
	if err != nil {
		t.Fatal(err)
	}
	taken, err := s.Lease(t.Context(), owner, spool.Want{Recipients: 10})
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

// putOff takes in a message that is tried, and is due again then.
func putOff(t *testing.T, s *pebblespool.Spool, owner spool.Owner, to string, due time.Time) {
	t.Helper()
	lease := take(t, s, owner, envelopeTo(to)).Leases[0]
	st := lease.Recipients[0]
	st.Fate, st.Due, st.Attempts = mail.Deferred, due, 1
	if _, err := s.Settle(t.Context(), owner, []spool.Settlement{{ID: lease.Envelope.ID, Results: []spool.Standing{st}}}); err != nil {
		t.Fatal(err)
	}
}
