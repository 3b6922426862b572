package pebblespool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

func TestOneProcessAtATime(t *testing.T) {
	place := t.TempDir()
	opts := pebblespool.Options{Ballast: -1}
	s, err := pebblespool.Open(place, opts)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := pebblespool.Open(place, opts); err == nil {
		other.Close()
		t.Error("opened twice")
	}
	if _, _, err := pebblespool.Check(context.Background(), place, opts, nil); err == nil {
		t.Error("checked offline while it is open")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := pebblespool.Open(place, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestASpoolOfANewerProgramIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs)
	if err := s.SetVersion(2); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and it is not harmed by it
		if _, err := pebblespool.Open(dir, small(fs)); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("opened: %v", err)
		}
	}
}

func TestDraftsPastTheBudgetGoToFiles(t *testing.T) {
	ctx, fs := context.Background(), vfs.NewMem()
	opts := small(fs)
	opts.DraftMemory = 10_000
	s, err := pebblespool.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	drafts := make([]spool.Draft, 5)
	for i := range drafts {
		if drafts[i], err = s.Begin(ctx, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := drafts[i].Write(make([]byte, 4000)); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := fs.List(dir + "/bodies"); err != nil || len(names) != 3 {
		t.Errorf("files: %v, %v", names, err)
	}
	for _, d := range drafts {
		if _, err := d.Commit(ctx, spool.Commit{Envelope: envelopeTo("bob@sina.example")}); err != nil {
			t.Error(err)
		}
		if got, err := read(ctx, s, d.ID()); err != nil || len(got) != 4000 {
			t.Errorf("%d octets, %v", len(got), err)
		}
	}
	d, err := s.Begin(ctx, 0) // the budget was given back
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(make([]byte, 9000)); err != nil {
		t.Fatal(err)
	}
	if names, err := fs.List(dir + "/bodies"); err != nil || len(names) != 3 {
		t.Errorf("files: %v, %v", names, err)
	}
	d.Abort()
}

// TestACleanEndLeavesNoLogToRead: the next start is quick, since all is in tables. So
// it can do without the log.
func TestACleanEndLeavesNoLogToRead(t *testing.T) {
	ctx, fs := context.Background(), vfs.NewMem()
	s := mustOpen(t, fs)
	id, err := commitText(ctx, s, strings.Repeat("It rains.\r\n", 5000))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := fs.List(dir + "/pebble")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs {
		if strings.HasSuffix(name, ".log") {
			if err := fs.Remove(dir + "/pebble/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
	s = mustOpen(t, fs)
	defer s.Close()
	if got, err := read(ctx, s, id); err != nil || len(got) != 55_000 {
		t.Errorf("%d octets, %v", len(got), err)
	}
}

func commitText(ctx context.Context, s spool.Engine, text string) (mail.ID, error) {
	d, err := s.Begin(ctx, 0)
	if err != nil {
		return mail.ID{}, err
	}
	if _, err = io.WriteString(d, text); err == nil {
		_, err = d.Commit(ctx, spool.Commit{Envelope: envelopeTo("bob@sina.example")})
	}
	return d.ID(), err
}

func TestBallastIsGivenUpAndLaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, fs := context.Background(), vfs.NewMem()
		free := func(octets uint64) {
			fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: octets, TotalBytes: 1 << 40})
			time.Sleep(1100 * time.Millisecond)
			synctest.Wait()
		}
		opts := small(fs)
		opts.MinFree, opts.Ballast = 1<<20, 1<<16
		s, err := pebblespool.Open(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, step := range []struct {
			free            uint64
			ballast, accept bool
		}{{1 << 30, true, true}, {1<<20 - 1, true, false}, {1<<18 - 1, false, false}, {1<<20 + 1, false, false}, {1<<20 + 1<<18, false, true}, {1 << 30, true, true}} {
			free(step.free)
			_, missing := fs.Stat(dir + "/ballast")
			d, err := s.Begin(ctx, 100)
			if (missing == nil) != step.ballast || (err == nil) != step.accept || err != nil && !errors.Is(err, spool.ErrFull) {
				t.Errorf("%d octets free: ballast %v, begin %v", step.free, missing, err)
			}
			if err == nil {
				d.Abort()
			}
		}
		if _, err := s.Begin(ctx, 1<<30); !errors.Is(err, spool.ErrFull) {
			t.Errorf("more than there is room for: %v", err)
		}
	})
}

func TestTheJournalIsTrimmedByAgeAndSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, fs := context.Background(), vfs.NewMem()
		opts := small(fs)
		opts.KeepFacts, opts.FactBytes = time.Hour, 1000
		s, err := pebblespool.Open(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		lease := benchCommit(ctx, t, s, 1, incompressible(1000), mustJoin(t, s))
		note := func(n int) {
			for i := range n {
				if err := s.Note(ctx, []spool.Fact{{ID: lease.Envelope.ID, Data: fmt.Appendf(nil, "%0100d", i)}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		count := func(want int) {
			t.Helper()
			page, err := s.Facts(ctx, spool.FactQuery{})
			st, serr := s.Stats(ctx)
			if err != nil || serr != nil || len(page.Facts) != want || st.Facts != int64(want) {
				t.Errorf("%d facts, counted %d, want %d, %v", len(page.Facts), st.Facts, want, errors.Join(err, serr))
			}
		}
		note(20)
		count(21)
		time.Sleep(61 * time.Second)
		count(10)
		time.Sleep(30 * time.Minute)
		note(1)
		time.Sleep(31 * time.Minute)
		count(1)
		if _, err := s.PutState(ctx, spool.State{Room: "r", Key: "k", Value: []byte("v"), Expires: time.Now().Add(time.Second)}, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if st, err := s.Stats(ctx); err != nil || st.States != 0 {
			t.Errorf("an expired state is still there: %+v, %v", st, err)
		}
	})
}

func mustJoin(t *testing.T, s spool.Engine) spool.Owner {
	t.Helper()
	owner, err := s.Join(context.Background(), "node", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return owner
}

func TestAFailureIsToldAndEveryCallRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs)
	d, err := s.Begin(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d, "x"); err != nil {
		t.Fatal(err)
	}
	s.Break(syscall.EIO)
	<-s.Failed()
	_, err = d.Commit(context.Background(), spool.Commit{Envelope: envelopeTo("bob@sina.example")})
	_, begin := s.Begin(context.Background(), 0)
	for what, err := range map[string]error{"commit": err, "begin": begin, "err": s.Err(), "close": s.Close()} {
		if !errors.Is(err, spool.ErrFailed) || !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
