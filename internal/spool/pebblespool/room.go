package pebblespool

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// room is how much of the disk is free, and what follows from it. It is looked
// at each second, and before a draft begins if that was long ago.
type room struct {
	free     atomic.Int64 // octets + 1; 0: not known
	size     atomic.Int64 // octets of the disk; 0: not known
	refusing atomic.Bool
	looked   atomic.Int64 // Unix nanoseconds
	ballast  atomic.Bool  // the ballast is on the disk
}

const (
	lookEvery   = 200 * time.Millisecond
	ballastFile = "ballast"
)

func (r *room) state() (free int64, refusing bool) { return r.free.Load() - 1, r.refusing.Load() }

// has reports whether there is room for a message of that size.
func (r *room) has(s *Spool, size int64) bool {
	if time.Now().UnixNano()-r.looked.Load() > int64(lookEvery) {
		r.look(s)
	}
	free := r.free.Load() - 1
	return !r.refusing.Load() && (free < 0 || s.opts.MinFree < 0 || size < free-s.opts.MinFree)
}

func (r *room) look(s *Spool) {
	r.looked.Store(time.Now().UnixNano())
	usage, err := s.opts.FS.GetDiskUsage(s.dir)
	if err != nil {
		if !errors.Is(err, vfs.ErrUnsupported) {
			s.opts.Log.Error("the free space of the disk is not known", "error", err)
		}
		r.free.Store(0)
		r.refusing.Store(false)
		return
	}
	r.size.Store(int64(min(usage.TotalBytes, 1<<62)))
	r.judge(s, int64(min(usage.AvailBytes, 1<<62)))
}

func (r *room) judge(s *Spool, free int64) {
	r.free.Store(free + 1)
	floor := s.opts.MinFree
	if floor < 0 {
		return
	}
	switch was := r.refusing.Load(); {
	case free < floor && !was:
		r.refusing.Store(true)
		s.opts.Log.Warn("the disk is nearly full: no mail is taken in", "free", free, "least", floor)
	case free > floor+floor/10 && was:
		r.refusing.Store(false)
		s.opts.Log.Info("the disk has room again: mail is taken in", "free", free)
	}
	switch ballast := s.opts.Ballast; {
	case free < floor/4 && r.ballast.Load():
		r.dropBallast(s)
	case free > 2*floor+ballast && ballast > 0 && !r.ballast.Load():
		r.layBallast(s)
	}
}

// dropBallast gives its room to settlements. The ballast goes past the latch:
// whether it is there or not, the spool is whole.
func (r *room) dropBallast(s *Spool) {
	r.ballast.Store(false)
	if err := s.opts.FS.Remove(s.fs.PathJoin(s.dir, ballastFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.opts.Log.Error("the ballast could not be given up", "error", err)
	}
}

func (r *room) layBallast(s *Spool) {
	if r.ballast.Swap(true) {
		return
	}
	name := s.fs.PathJoin(s.dir, ballastFile)
	if info, err := s.opts.FS.Stat(name); err == nil && info.Size() == s.opts.Ballast {
		return
	}
	f, err := s.opts.FS.Create(name, diskCategory)
	if err == nil {
		err = errors.Join(fill(f, s.opts.Ballast), f.Close())
	}
	if err != nil {
		s.opts.Log.Warn("no ballast could be laid", "error", err)
		r.dropBallast(s)
	}
}

// fill writes octets that no file system keeps as a hole.
func fill(f vfs.File, size int64) error {
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = byte(i>>8) ^ byte(i)
	}
	for size > 0 {
		n, err := f.Write(block[:min(size, int64(len(block)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return f.Sync()
}
