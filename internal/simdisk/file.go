package simdisk

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// file is an open file or directory. Read and Write share one place in the file.
type file struct {
	disk   *Disk
	node   *node
	name   string // as it was opened
	write  bool
	at     int
	closed bool
}

var _ vfs.File = (*file)(nil)

// opened makes a handle.
func (d *Disk) opened(n *node, name string, write bool) *file {
	n.handles++
	return &file{disk: d, node: n, name: clean(name), write: write}
}

func (f *file) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	f.node.handles--
	f.disk.release(f.node)
	return nil
}

func (f *file) Read(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	n, err := f.readAt(p, f.at)
	f.at += n
	return n, err
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	n, err := f.readAt(p, int(at))
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *file) readAt(p []byte, at int) (int, error) {
	if err := f.usable(at); err != nil {
		return 0, pathError("read", f.name, err)
	}
	if fault := f.disk.fault(Read, f.name); fault != nil {
		return 0, pathError("read", f.name, fault.Err)
	}
	if at >= len(f.node.content.data) && len(p) > 0 {
		return 0, io.EOF
	}
	return copy(p, f.node.content.data[min(at, len(f.node.content.data)):]), nil
}

func (f *file) usable(at int) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case f.node.folder != nil:
		return syscall.EISDIR
	case at < 0:
		return syscall.EINVAL
	}
	return nil
}

func (f *file) Write(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	n, err := f.writeAt(p, f.at)
	f.at += n
	return n, err
}

func (f *file) WriteAt(p []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.writeAt(p, int(at))
}

// writeAt writes what fits of p, or what a fault lets through.
func (f *file) writeAt(p []byte, at int) (int, error) {
	err := f.usable(at)
	if err == nil && !f.write {
		err = syscall.EBADF
	}
	if err == nil {
		err = f.disk.operate(Write, f.name, len(p))
	}
	var short *shortError
	switch {
	case errors.As(err, &short):
		p = p[:min(len(p), short.short)]
	case err != nil:
		return 0, pathError("write", f.name, err)
	}
	if room := f.room(at); room < len(p) {
		p, err = p[:room], syscall.ENOSPC
	}
	was := len(f.node.content.data)
	f.node.content.write(p, at)
	f.node.written = time.Now()
	f.disk.used += int64(len(f.node.content.data) - was)
	return len(p), pathError("write", f.name, err)
}

// room is how much can be written at an offset.
func (f *file) room(at int) int {
	return int(max(0, f.disk.capacity-f.disk.used+int64(len(f.node.content.data)-at)))
}

// Sync makes what was written to the file, or the names in the directory, durable.
func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return pathError("sync", f.name, fs.ErrClosed)
	}
	return pathError("sync", f.name, f.disk.sync(f.node, f.name))
}

func (d *Disk) sync(n *node, name string) error {
	if n.folder != nil {
		if err := d.operate(SyncFolder, name, 0); err != nil {
			return err
		}
		n.folder.sync()
		return nil
	}
	err := d.operate(Sync, name, 0)
	switch {
	case err == nil:
		n.content.sync()
	case !d.dead:
		n.content.lose()
	}
	return err
}

// SyncData is Sync.
func (f *file) SyncData() error { return f.Sync() }

// SyncTo promises nothing, as vfs.File says that it may.
func (f *file) SyncTo(int64) (bool, error) { return false, nil }

// Preallocate, Prefetch and Fd implement [vfs.File]: there is nothing to win in memory.
func (f *file) Preallocate(int64, int64) error { return nil }
func (f *file) Prefetch(int64, int64) error    { return nil }
func (f *file) Fd() uintptr                    { return vfs.InvalidFd }

func (f *file) Stat() (vfs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return nil, pathError("stat", f.name, fs.ErrClosed)
	}
	return f.node.info(f.name), nil
}

// info is what Stat tells.
type info struct {
	name    string
	size    int64
	folder  bool
	links   int
	written time.Time
}

func (n *node) info(name string) info {
	return info{path.Base(name), int64(len(n.content.data)), n.folder != nil, n.links, n.written}
}

func (i info) Name() string           { return i.name }
func (i info) Size() int64            { return i.size }
func (i info) ModTime() time.Time     { return i.written }
func (i info) IsDir() bool            { return i.folder }
func (i info) Sys() any               { return nil }
func (i info) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

// Links is how many names a file has.
func (i info) Links() int { return i.links }

func (i info) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
