package maildrop

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Disk is what a drop directory is on. Names are paths of the system, and errors are those
// of package os and of the system, as far as [errors.Is] sees.
type Disk interface {
	// MakeFolder makes a folder with a mode, or gives that mode to one that is there. A
	// link to one is none.
	MakeFolder(name string, mode fs.FileMode) error
	SyncFolder(name string) error // makes the names in a folder durable
	// Names are those in a folder, sorted, and no more than most of them.
	Names(folder string, most int) ([]string, error)
	// Create makes a file that only its owner can read, and the group of a folder that
	// gives its group to files. One that is there is an error.
	Create(name string) (File, error)
	// Open opens a file to be read; a link is ELOOP. It does not wait for the other end
	// of a pipe.
	Open(name string) (File, error)
	Stat(name string) (fs.FileInfo, error) // whose Sys is a *syscall.Stat_t
	// Lstat tells of a name as Stat does, and not of what a link leads to.
	Lstat(name string) (fs.FileInfo, error)
	Same(a, b fs.FileInfo) bool // whether two tell of one file
	Rename(from, to string) error
	Remove(name string) error
}

// File is one of a [Disk].
type File interface {
	io.ReaderAt
	io.WriteSeeker
	io.Closer
	Sync() error // makes durable what was written, and not the file's name
	// SyncAround makes all durable that is in the file system of the file.
	SyncAround() error
	Stat() (fs.FileInfo, error) // as Disk.Stat
	// Lock takes the lock of the file, until Close, and reports whether it was free.
	Lock() (free bool, err error)
}

// System is the disk of this machine.
type System struct{}

var _ Disk = System{}

// MakeFolder implements [Disk].
func (System) MakeFolder(name string, mode fs.FileMode) error {
	if err := os.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "make", Path: name, Err: syscall.ENOTDIR}
	}
	if info.Mode()&^fs.ModeDir == mode {
		return nil // in a service that may not set these bits, the installation has
	}
	return os.Chmod(name, mode)
}

// SyncFolder implements [Disk].
func (System) SyncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Names implements [Disk].
func (System) Names(folder string, most int) ([]string, error) {
	d, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(most)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.Sort(names)
	return names, err
}

// Create implements [Disk].
func (System) Create(name string) (File, error) {
	folder, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if folder.Mode()&fs.ModeSetgid != 0 {
		err = f.Chmod(0o640)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(name))
	}
	return systemFile{f}, nil
}

// Open implements [Disk].
func (System) Open(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

// Stat implements [Disk].
func (System) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// Lstat implements [Disk].
func (System) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

// Same implements [Disk].
func (System) Same(a, b fs.FileInfo) bool { return os.SameFile(a, b) }

// Rename implements [Disk].
func (System) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements [Disk].
func (System) Remove(name string) error { return os.Remove(name) }

type systemFile struct{ *os.File }

func (f systemFile) SyncAround() error { return syncAround(f.File) }

func (f systemFile) Lock() (free bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, os.NewSyscallError("flock", err)
}
