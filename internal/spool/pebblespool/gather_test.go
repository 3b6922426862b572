package pebblespool_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// TestATableIsOnTheDiskWhenItIsSynced: what is gathered for large writes is written
// before it is synced, and all of it when the file is closed.
func TestATableIsOnTheDiskWhenItIsSynced(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, end := range []string{"sync", "sync data", "sync to", "close"} {
		disk := vfs.NewCrashableMem()
		f, err := pebblespool.Latched(disk).Create("000001.sst", vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for len(want) < 2<<20 {
			p := make([]byte, r.IntN(600<<r.IntN(11)))
			for i := range p {
				p[i] = byte(r.Uint32())
			}
			want = append(want, p...)
			if n, err := f.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		left := vfs.FS(disk)
		switch end {
		case "sync", "sync data":
			err = errors.Join(map[string]func() error{"sync": f.Sync, "sync data": f.SyncData}[end](), syncDir(disk))
			left = disk.CrashClone(vfs.CrashCloneCfg{})
		case "sync to":
			_, err = f.SyncTo(int64(len(want)))
		case "close":
			err = f.Close()
		}
		if err != nil {
			t.Error(err)
		}
		if got := content(t, left, "000001.sst"); !bytes.Equal(got, want) {
			t.Errorf("after %s: %d octets of %d", end, len(got), len(want))
		}
	}
}

func syncDir(disk vfs.FS) error {
	d, err := disk.OpenDir("")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func content(t *testing.T, disk vfs.FS, name string) []byte {
	t.Helper()
	f, err := disk.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
