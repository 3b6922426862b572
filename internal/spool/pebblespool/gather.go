package pebblespool

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// gathered is a file that is written from its start to its end and synced once,
// as Pebble's tables are. It gathers the blocks of 4 KB that Pebble writes, since a
// system takes a large write for a fifth of what the same costs in small ones.
type gathered struct {
	vfs.File
	latch *latch
	buf   *[]byte // nil once it is closed
}

// gatherSize is how many octets are gathered.
const gatherSize = 256 << 10

func (l *latch) gather(f vfs.File) vfs.File {
	buf, _ := l.spare.Get().(*[]byte)
	if buf == nil {
		b := make([]byte, 0, gatherSize)
		buf = &b
	}
	return &gathered{f, l, buf}
}

func (g *gathered) Write(p []byte) (int, error) {
	if len(*g.buf)+len(p) > gatherSize {
		if err := g.flush(); err != nil {
			return 0, err
		}
	}
	if len(p) > gatherSize {
		return g.File.Write(p)
	}
	*g.buf = append(*g.buf, p...)
	return len(p), nil
}

func (g *gathered) flush() error {
	if g.buf == nil || len(*g.buf) == 0 {
		return nil
	}
	_, err := g.File.Write(*g.buf)
	*g.buf = (*g.buf)[:0]
	return err
}

func (g *gathered) Sync() error     { return errors.Join(g.flush(), g.File.Sync()) }
func (g *gathered) SyncData() error { return errors.Join(g.flush(), g.File.SyncData()) }

func (g *gathered) Close() error {
	err := errors.Join(g.flush(), g.File.Close())
	if g.buf != nil {
		g.latch.spare.Put(g.buf)
		g.buf = nil
	}
	return err
}

// SyncTo is told of what was written, and so of more than the file may have.
func (g *gathered) SyncTo(length int64) (full bool, err error) {
	if err := g.flush(); err != nil {
		return false, err
	}
	return g.File.SyncTo(length)
}
