package maildir

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Disk is what Maildirs are on. Names are paths of the system. Errors are those of
// package os, as far as [errors.Is] sees.
type Disk interface {
	Stat(name string) (fs.FileInfo, error) // of what a link leads to
	MakeFolder(name string) error          // fs.ErrExist if there is something
	SyncFolder(name string) error          // makes the names in a folder durable
	OpenRoot(name string) (Root, error)    // of a folder that is there
}

// Root is the folder of a Maildir. Names are relative to it, with slashes, and lead
// nowhere else. It may be used by many goroutines.
type Root interface {
	MakeFolder(name string) error     // that it is there already is no error
	Hold(name string) error           // from now on files are created in it, and renamed
	SyncFolder(name string) error     // makes the names in a folder durable
	Create(name string) (File, error) // a new file; one that exists is an error
	Rename(from, to string) error     // atomic
	Remove(name string) error         // of a file
	// Each calls f for the files of a folder, until f returns an error, which it returns.
	Each(folder string, f func(fs.FileInfo) error) error
	Close() error
}

// File is a new file. Sync makes durable what was written, and not the file's name.
type File interface {
	io.Writer
	Sync() error
	Close() error
}

// System is the disk of this machine.
type System struct{}

var _ Disk = System{}

// Stat implements [Disk].
func (System) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// MakeFolder implements [Disk]. Only its owner can read the folder.
func (System) MakeFolder(name string) error { return os.Mkdir(name, 0o700) }

// SyncFolder implements [Disk].
func (System) SyncFolder(name string) error { return syncDirectory(os.Open(name)) }

// OpenRoot implements [Disk].
func (System) OpenRoot(name string) (Root, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &rootDisk{root: root}, nil
}

// syncDirectory syncs and closes what os.Open returned.
func syncDirectory(dir *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
