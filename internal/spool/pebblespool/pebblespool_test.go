package pebblespool_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/simdisk"
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
		disk, crashes := simdisk.New(simdisk.Options{}), uint64(0)
		s := mustOpen(t, disk)
		t.Cleanup(func() { s.Close() })
		return spooltest.Subject{
			Engine: s,
			Crash: func() spool.Engine {
				old := s
				disk = disk.Crash(crashes)
				crashes++
				s = mustOpen(t, disk)
				old.Close()
				return s
			},
			Reopen: func() spool.Engine {
				s.Close()
				s = mustOpen(t, disk)
				return s
			},
			Fill: func(full bool) {
				capacity := int64(1 << 40)
				if full {
					capacity = 1 << 20
				}
				disk.Resize(capacity)
			},
			Spoil: func(id mail.ID) { s.Spoil(id) },
		}
	})
}
