package memspool_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"

	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/spool/spooltest"
)

func TestContract(t *testing.T) {
	spooltest.Run(t, func(t testing.TB) spooltest.Subject {
		s := memspool.New(memspool.Options{})
		t.Cleanup(func() { s.Close() })
		return spooltest.Subject{
			Engine: s,
			Crash:  func() spool.Engine { s = s.Crash(); return s },
			Spoil:  s.Spoil,
			Fill: func(full bool) {
				if full {
					s.SetCapacity(1)
				} else {
					s.SetCapacity(0)
				}
			},
		}
	})
}

// A simulated world needs the worst that the contract allows, not the best.
func TestACrashForgetsWhatIsYoungerThanTheLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s := memspool.New(memspool.Options{})
		put := func(key string) {
			if _, err := s.PutState(ctx, spool.State{Room: "r", Key: key, Value: []byte("v")}, 0); err != nil {
				t.Fatal(err)
			}
		}
		put("old")
		time.Sleep(spool.Lag - time.Millisecond)
		put("young")
		time.Sleep(time.Millisecond)
		s = s.Crash()
		list, err := s.States(ctx, "r", "", 10)
		if err != nil || len(list) != 1 || list[0].Key != "old" {
			t.Errorf("left: %+v, %v", list, err)
		}
	})
}

func TestAFailedSpoolFailsEveryCall(t *testing.T) {
	ctx := context.Background()
	s := memspool.New(memspool.Options{})
	draft, err := s.Begin(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Fail(io.ErrShortWrite)
	_, commit := draft.Commit(ctx, spool.Commit{Envelope: mail.Envelope{To: make([]mail.Recipient, 1)}})
	_, begin := s.Begin(ctx, 0)
	for what, err := range map[string]error{"commit": commit, "begin": begin, "note": s.Note(ctx, nil)} {
		if !errors.Is(err, spool.ErrFailed) || !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if st, err := s.Crash().Stats(ctx); err != nil || st.Messages != 0 {
		t.Errorf("after the next start: %+v, %v", st, err)
	}
}

// TestSettlingCostsWhatIsSettled: one recipient of many is settled without a copy
// of the others.
func TestSettlingCostsWhatIsSettled(t *testing.T) {
	ctx := context.Background()
	s := memspool.New(memspool.Options{})
	owner, err := s.Join(ctx, "node", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	draft, err := s.Begin(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := draft.Commit(ctx, spool.Commit{For: owner, Envelope: mail.Envelope{To: make([]mail.Recipient, 20_000)}})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const settled = 500
	for _, st := range lease.Recipients[:settled] {
		st.Fate = mail.Relayed
		if _, err := s.Settle(ctx, owner, []spool.Settlement{{ID: draft.ID(), Results: []spool.Standing{st}}}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / settled; each > 16<<10 {
		t.Errorf("%d octets to settle one recipient", each)
	}
	if st, err := s.Stats(ctx); err != nil || st.Fresh != 20_000-settled {
		t.Errorf("%+v, %v", st, err)
	}
}
