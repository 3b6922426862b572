package pebblespool

import (
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options of a Spool. The zero value is good for a machine of its own.
type Options struct {
	// FS is the disk; nil is that of the system.
	FS vfs.FS
	// Random makes IDs; nil is crypto/rand. It is read by many goroutines at once.
	Random io.Reader
	// Log is told what happens behind the calls: damage found, a write that
	// failed, room running out. Nil is silence.
	Log *slog.Logger

	// LargeBody is the size in octets above which a body is a file of its own; 0 is 128 KiB.
	LargeBody int
	// DraftMemory is how many octets of all drafts may be in memory; 0 is 128 MiB.
	// Past it a draft goes to a file whatever its size.
	DraftMemory int64
	// MemTable is the size in octets of a memtable, of which two may be in use; 0
	// is 64 MiB. More than that lets more mail come and go without being written twice.
	MemTable uint64
	// Cache is the size in octets of the block cache; 0 is 64 MiB.
	Cache int64

	// MinFree is how many octets of the disk are kept free: below it Begin returns
	// spool.ErrFull until there are a tenth more. 0 is 256 MiB; negative: whatever there is.
	MinFree int64
	// Ballast is the size in octets of a file that is given up when only a quarter of MinFree is
	// left, so that settling still has room. 0 is 32 MiB; negative: none.
	Ballast int64

	// LatestRetry is how long mail is put off at the most: what is found to be due later when
	// the clock has gone back since the last life is due then. 0 is 4 hours.
	LatestRetry time.Duration

	// KeepFacts and FactBytes are what the journal keeps; 0 is 30 days and 2 GB.
	KeepFacts time.Duration
	FactBytes int64
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	set(&o.LargeBody, 128<<10)
	set(&o.DraftMemory, 128<<20)
	set(&o.MemTable, 64<<20)
	set(&o.Cache, 64<<20)
	set(&o.MinFree, 256<<20)
	set(&o.Ballast, 32<<20)
	set(&o.LatestRetry, 4*time.Hour)
	set(&o.KeepFacts, 30*24*time.Hour)
	set(&o.FactBytes, 2<<30)
	return o
}

func set[T comparable](option *T, standard T) {
	var zero T
	if *option == zero {
		*option = standard
	}
}
