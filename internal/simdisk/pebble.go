package simdisk

import (
	"errors"
	"io"
	"os"
	"path"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var _ vfs.FS = (*Disk)(nil)

// open runs what finds or makes a file.
func (d *Disk) open(name string, write bool, find func() (*node, error)) (*file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := find()
	if err == nil && write && n.folder != nil {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return d.opened(n, name, write), nil
}

// do runs what reads or changes names.
func (d *Disk) do(op, name string, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return pathError(op, name, f())
}

// vfsFile keeps a nil *file from being a vfs.File that is not nil.
func vfsFile(f *file, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Create implements [vfs.FS].
func (d *Disk) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return vfsFile(d.open(name, true, func() (*node, error) {
		if err := d.remove(name); err != nil && !errors.Is(err, syscall.ENOENT) {
			return nil, err
		}
		return d.create(Create, name)
	}))
}

// Open implements [vfs.FS].
func (d *Disk) Open(name string, _ ...vfs.OpenOption) (vfs.File, error) {
	return vfsFile(d.open(name, false, func() (*node, error) { return d.find(name) }))
}

// OpenReadWrite implements [vfs.FS].
func (d *Disk) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return vfsFile(d.open(name, true, func() (*node, error) {
		n, err := d.find(name)
		if errors.Is(err, syscall.ENOENT) {
			return d.create(Create, name)
		}
		return n, err
	}))
}

// OpenDir implements [vfs.FS].
func (d *Disk) OpenDir(name string) (vfs.File, error) {
	return vfsFile(d.open(name, false, func() (*node, error) {
		n, err := d.find(name)
		if err == nil && n.folder == nil {
			err = syscall.ENOTDIR
		}
		return n, err
	}))
}

// ReuseForWrite implements [vfs.FS].
func (d *Disk) ReuseForWrite(old, name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return vfsFile(d.open(name, true, func() (*node, error) {
		if err := d.rename(old, name); err != nil {
			return nil, err
		}
		return d.find(name)
	}))
}

// Link implements [vfs.FS].
func (d *Disk) Link(old, name string) error {
	return d.do("link", name, func() error { return d.link(old, name) })
}

// Remove implements [vfs.FS].
func (d *Disk) Remove(name string) error {
	return d.do("remove", name, func() error { return d.remove(name) })
}

// RemoveAll implements [vfs.FS].
func (d *Disk) RemoveAll(name string) error {
	return d.do("remove", name, func() error { return d.removeAll(name) })
}

// Rename implements [vfs.FS].
func (d *Disk) Rename(old, name string) error {
	return d.do("rename", old, func() error { return d.rename(old, name) })
}

// MkdirAll implements [vfs.FS].
func (d *Disk) MkdirAll(name string, _ os.FileMode) error {
	return d.do("mkdir", name, func() error { return d.makeAll(name) })
}

// List implements [vfs.FS]; the names are sorted.
func (d *Disk) List(name string) (names []string, err error) {
	err = d.do("list", name, func() error {
		n, err := d.find(name)
		if err != nil {
			return err
		}
		if n.folder == nil {
			return syscall.ENOTDIR
		}
		names = n.folder.names()
		return nil
	})
	return names, err
}

// Stat implements [vfs.FS].
func (d *Disk) Stat(name string) (found vfs.FileInfo, err error) {
	err = d.do("stat", name, func() error {
		n, err := d.find(name)
		if err == nil {
			found = n.info(clean(name))
		}
		return err
	})
	return found, err
}

// Lock implements [vfs.FS]: while it lasts, nobody else who uses this Disk can have it.
func (d *Disk) Lock(name string) (io.Closer, error) {
	name = clean(name)
	err := d.do("lock", name, func() error {
		if d.locks[name] {
			return syscall.EAGAIN
		}
		if _, err := d.find(name); errors.Is(err, syscall.ENOENT) {
			if _, err := d.create(Create, name); err != nil {
				return err
			}
		}
		d.locks[name] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &lock{d, name}, nil
}

type lock struct {
	disk *Disk
	name string
}

func (l *lock) Close() error {
	return l.disk.do("unlock", l.name, func() error { delete(l.disk.locks, l.name); return nil })
}

// GetDiskUsage implements [vfs.FS].
func (d *Disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	free := max(0, d.capacity-d.used)
	return vfs.DiskUsage{AvailBytes: uint64(free), TotalBytes: uint64(d.capacity), UsedBytes: uint64(d.used)}, nil
}

// Resize makes the disk larger or smaller; what is on it stays.
func (d *Disk) Resize(capacity int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = capacity
}

// PathBase implements [vfs.FS].
func (*Disk) PathBase(name string) string { return path.Base(name) }

// PathDir implements [vfs.FS].
func (*Disk) PathDir(name string) string { return path.Dir(name) }

// PathJoin implements [vfs.FS].
func (*Disk) PathJoin(parts ...string) string { return path.Join(parts...) }

// Unwrap implements [vfs.FS]: there is nothing below.
func (*Disk) Unwrap() vfs.FS { return nil }
