package pebblespool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

func mustCheck(t *testing.T, fs vfs.FS) spool.Checked {
	t.Helper()
	c, _, err := pebblespool.Check(context.Background(), dir, small(fs), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheckFindsNothingWrongWithAJourney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, j := vfs.NewMem(), newJourney()
		if err := j.run(fs); err != nil {
			t.Fatal(err)
		}
		c := mustCheck(t, fs)
		if len(c.Problems) > 0 || c.Messages != int64(len(j.kept)) || c.Files != j.files() || c.Facts == 0 {
			t.Errorf("%+v, want %d messages", c, len(j.kept))
		}
	})
}

func TestCheckFindsEachDamage(t *testing.T) {
	for _, damage := range []struct{ kind, want string }{
		{"b", "body:"},
		{"e", "envelope:"},
		{"r", "recipient 0:"},
		{"-b", "body:"},
		{"-e", "no envelope"},
		{"-d", "not in the due index"},
		{"-n", "first flights: false"},
		{"-s", "not known"},
		{"-o", "will not be visited"},
		{"-c", "counter"},
		{"file", "checksum"},
		{"-file", "missing"},
		{"+file", "belongs to no message"},
	} {
		t.Run(damage.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs, j := vfs.NewMem(), newJourney()
				if err := j.run(fs); err != nil {
					t.Fatal(err)
				}
				s := mustOpen(t, fs)
				if err := s.Damage(damage.kind); err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				c := mustCheck(t, fs)
				if len(c.Problems) == 0 || !strings.Contains(c.Problems[0].What, damage.want) {
					t.Errorf("found %+v, want %q", c.Problems, damage.want)
				}
			})
		})
	}
}

// TestRepair mends each damage: what is left is whole but for what is in quarantine,
// and no other message is lost.
func TestRepair(t *testing.T) {
	for _, damage := range []struct {
		kind       string
		quarantine int
	}{
		{"b", 1},
		{"e", 1},
		{"r", 1},
		{"-b", 1},
		{"-e", 1},
		{"file", 1},
		{"-file", 1},
		{"-d", 0},
		{"-n", 0},
		{"-s", 0},
		{"-o", 0},
		{"-c", 0},
		{"+file", 0},
	} {
		t.Run(damage.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs, j := vfs.NewMem(), newJourney()
				if err := j.run(fs); err != nil {
					t.Fatal(err)
				}
				s := mustOpen(t, fs)
				if err := errors.Join(s.Damage(damage.kind), s.Close()); err != nil {
					t.Fatal(err)
				}
				r, err := pebblespool.Repair(t.Context(), dir, small(fs), nil)
				if err != nil || r.Mended == 0 || len(r.Left.Problems) > 0 || len(r.Quarantine) != damage.quarantine {
					t.Errorf("mended %d, left %+v, quarantine %+v, %v", r.Mended, r.Left.Problems, r.Quarantine, err)
				}
				if c := mustCheck(t, fs); len(c.Problems) > 0 {
					t.Errorf("found afterwards: %+v", c.Problems)
				}
				j.holdWhole(t, fs, damage.quarantine)
				again, err := pebblespool.Repair(t.Context(), dir, small(fs), nil)
				if err != nil || again.Mended > 0 || len(again.Quarantine) != damage.quarantine {
					t.Errorf("a second one mends %d, quarantine %+v, %v", again.Mended, again.Quarantine, err)
				}
			})
		})
	}
}

// holdWhole: all but some messages are listed, and can be read to the last octet.
func (j *journey) holdWhole(t *testing.T, fs vfs.FS, but int) {
	t.Helper()
	s := mustOpen(t, fs)
	defer s.Close()
	whole := 0
	for id := range j.kept {
		if _, err := read(j.ctx, s, id); err == nil {
			whole++
		}
	}
	if whole < len(j.kept)-but {
		t.Errorf("%d of %d messages can be read", whole, len(j.kept))
	}
	listed := map[mail.ID]bool{}
	page, err := s.List(j.ctx, spool.Query{})
	for _, it := range page.Items {
		listed[it.Envelope.ID] = true
	}
	if err != nil || len(listed) != len(j.kept)-but {
		t.Errorf("%d of %d messages are listed, %v", len(listed), len(j.kept), err)
	}
}

func TestADamagedFileIsNeverTakenForAWholeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, j := vfs.NewMem(), newJourney()
		if err := j.run(fs); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, fs)
		defer s.Close()
		if err := s.Damage("file"); err != nil {
			t.Fatal(err)
		}
		broken := 0
		for id := range j.kept {
			if _, err := read(j.ctx, s, id); err != nil {
				broken++
			}
		}
		list, err := s.Damaged(j.ctx, mail.ID{}, 10)
		if err != nil || broken != 1 || len(list) != 1 || !strings.Contains(list[0].What, "checksum") {
			t.Errorf("%d broken, quarantine %+v, %v", broken, list, err)
		}
		if page, err := s.List(j.ctx, spool.Query{}); err != nil || len(page.Items) != len(j.kept)-1 {
			t.Errorf("%d are listed, %v", len(page.Items), err)
		}
	})
}
