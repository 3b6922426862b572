package pebblespool_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/internal/spool/spooltest"
)

// small are options for tests: little memory, no ballast.
func small(fs vfs.FS) pebblespool.Options {
	return pebblespool.Options{FS: fs, MemTable: 256 << 10, Cache: 1 << 20, Ballast: -1}
}

const dir = "/spool"

func mustOpen(t testing.TB, fs vfs.FS) *pebblespool.Spool {
	t.Helper()
	s, err := pebblespool.Open(dir, small(fs))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	spooltest.Run(t, func(t testing.TB) spooltest.Subject {
		fs := vfs.NewCrashableMem()
		s := mustOpen(t, fs)
		t.Cleanup(func() { s.Close() })
		return spooltest.Subject{
			Engine: s,
			Crash: func() spool.Engine {
				old := s
				fs = fs.CrashClone(vfs.CrashCloneCfg{})
				s = mustOpen(t, fs)
				old.Close()
				return s
			},
			Reopen: func() spool.Engine {
				s.Close()
				s = mustOpen(t, fs)
				return s
			},
			Fill: func(full bool) {
				usage := vfs.DiskUsage{AvailBytes: 1 << 40, TotalBytes: 1 << 41}
				if full {
					usage.AvailBytes = 1 << 20
				}
				fs.TestingSetDiskUsage(usage)
			},
			Spoil: func(id mail.ID) { s.Spoil(id) },
		}
	})
}
