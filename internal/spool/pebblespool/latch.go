package pebblespool

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/spool"
)

// latch is a file system that remembers the first failure of anything that
// changes the disk. From then on nothing reaches the disk, and everything seems
// to succeed: the disk is as after a crash at that instant, and Pebble, which would end
// the process, lives on until the desks have let go of it. So whoever promises
// something looks at the latch after the promise was kept, and before telling.
type latch struct {
	vfs.FS
	mu     sync.Mutex
	err    error
	failed chan struct{} // closed with the first failure
	spare  sync.Pool     // of *[]byte, for gathered
}

func newLatch(fs vfs.FS) *latch { return &latch{FS: fs, failed: make(chan struct{})} }

// broken is the first failure.
func (l *latch) broken() error {
	select {
	case <-l.failed:
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.err
	default:
		return nil
	}
}

// fail latches an error.
func (l *latch) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		close(l.failed)
	}
}

// do runs what changes the disk, unless something failed before. What is or is
// not there is an answer and no failure.
func (l *latch) do(change func() error) error {
	if l.broken() != nil {
		return nil
	}
	err := change()
	if err == nil || errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrExist) {
		return err
	}
	l.fail(err)
	return nil
}

// file runs what makes a file for writing.
func (l *latch) file(open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	err := l.do(func() (err error) { f, err = open(); return err })
	switch {
	case err != nil:
		return nil, err
	case f == nil:
		return &latchedFile{File: void{}, latch: l}, nil
	}
	return &latchedFile{f, l}, nil
}

// Create implements [vfs.FS]. A marker names another new file, so that one's
// name has to be durable before the marker's can be: Pebble syncs the directory
// only after both, and a crash between may keep the marker alone.
func (l *latch) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(l.PathBase(name), "marker.") {
		if err := l.syncDir(l.PathDir(name)); err != nil {
			return nil, err
		}
	}
	f, err := l.file(func() (vfs.File, error) { return l.FS.Create(name, c) })
	if ext := filepath.Ext(name); err != nil || ext != ".sst" && ext != ".blob" {
		return f, err
	}
	return l.gather(f), nil
}

func (l *latch) syncDir(name string) error {
	d, err := l.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open implements [vfs.FS]. After the first failure tables are written to
// nowhere, and a compaction that does not find one is begun again at once and for ever:
// so it waits here.
func (l *latch) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if l.broken() != nil && isTable(name) {
		time.Sleep(spool.Lag)
	}
	return l.FS.Open(name, opts...)
}

func isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

func (l *latch) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return l.file(func() (vfs.File, error) { return l.FS.OpenReadWrite(name, c, opts...) })
}

func (l *latch) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return l.file(func() (vfs.File, error) { return l.FS.ReuseForWrite(old, name, c) })
}

func (l *latch) OpenDir(name string) (vfs.File, error) {
	return l.file(func() (vfs.File, error) { return l.FS.OpenDir(name) })
}

func (l *latch) Link(old, name string) error {
	return l.do(func() error { return l.FS.Link(old, name) })
}

// Remove implements [vfs.FS]. An old marker goes when the new one is durable: Pebble
// removes it first and syncs then, and a crash that keeps the removal alone leaves
// a directory without a manifest, which is an empty store.
func (l *latch) Remove(name string) error {
	if strings.HasPrefix(l.PathBase(name), "marker.") {
		if err := l.syncDir(l.PathDir(name)); err != nil {
			return err
		}
	}
	return l.do(func() error { return l.FS.Remove(name) })
}

func (l *latch) RemoveAll(name string) error {
	return l.do(func() error { return l.FS.RemoveAll(name) })
}

func (l *latch) Rename(old, name string) error {
	return l.do(func() error { return l.FS.Rename(old, name) })
}

func (l *latch) MkdirAll(dir string, perm os.FileMode) error {
	return l.do(func() error { return l.FS.MkdirAll(dir, perm) })
}

func (l *latch) Unwrap() vfs.FS { return l.FS }

// latchedFile is an open file of a latch. Reading goes on after a failure.
type latchedFile struct {
	vfs.File
	latch *latch
}

func (f *latchedFile) Write(p []byte) (int, error) {
	return len(p), f.latch.do(func() error { _, err := f.File.Write(p); return err })
}

func (f *latchedFile) WriteAt(p []byte, at int64) (int, error) {
	return len(p), f.latch.do(func() error { _, err := f.File.WriteAt(p, at); return err })
}

func (f *latchedFile) Preallocate(offset, length int64) error {
	return f.latch.do(func() error { return f.File.Preallocate(offset, length) })
}

func (f *latchedFile) Sync() error     { return f.latch.do(f.File.Sync) }
func (f *latchedFile) SyncData() error { return f.latch.do(f.File.SyncData) }

func (f *latchedFile) SyncTo(length int64) (full bool, err error) {
	err = f.latch.do(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full || f.latch.broken() != nil, err
}

// void is a file that is not there, for what is opened after a failure.
type void struct{}

func (void) Read([]byte) (int, error)               { return 0, io.EOF }
func (void) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (void) Write(p []byte) (int, error)            { return len(p), nil }
func (void) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (void) Close() error                           { return nil }
func (void) Preallocate(int64, int64) error         { return nil }
func (void) Stat() (vfs.FileInfo, error)            { return voidInfo{}, nil }
func (void) Sync() error                            { return nil }
func (void) SyncTo(int64) (bool, error)             { return true, nil }
func (void) SyncData() error                        { return nil }
func (void) Prefetch(int64, int64) error            { return nil }
func (void) Fd() uintptr                            { return vfs.InvalidFd }

// voidInfo is that of an empty file. Pebble asks for the length of a log that it
// uses again, and ends the process when it is not told.
type voidInfo struct{}

func (voidInfo) Name() string           { return "" }
func (voidInfo) Size() int64            { return 0 }
func (voidInfo) Mode() os.FileMode      { return 0o600 }
func (voidInfo) ModTime() time.Time     { return time.Time{} }
func (voidInfo) IsDir() bool            { return false }
func (voidInfo) Sys() any               { return nil }
func (voidInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
