package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// disk is what a Maildir asks of its file system. Names are relative to the
// Maildir, with slashes.
type disk interface {
	makeFolder(name string) error        // that it is there already is no error
	syncFolder(name string) error        // makes the names in a folder durable
	create(name string) (file, error)    // a new file; one that exists is an error
	rename(from, to string) error        // atomic
	remove(name string) error            //
	each(folder string, f visitor) error // calls f for the files of a folder
	close() error
}

type file interface {
	io.Writer
	Sync() error
	Close() error
}

type visitor func(fs.FileInfo) error

// rootDisk is the real one. Its root keeps names from leading out of the
// Maildir by way of symbolic links.
type rootDisk struct{ root *os.Root }

func (d rootDisk) makeFolder(name string) error {
	err := d.root.Mkdir(name, 0o700)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := d.root.Lstat(name)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s/%s is not a directory", d.root.Name(), name)
	}
	return err
}

func (d rootDisk) syncFolder(name string) error { return syncDirectory(d.root.Open(name)) }

func (d rootDisk) create(name string) (file, error) {
	return d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d rootDisk) rename(from, to string) error { return d.root.Rename(from, to) }

func (d rootDisk) remove(name string) error { return d.root.Remove(name) }

func (d rootDisk) close() error { return d.root.Close() }

// each reads the folder in steps, so that its size does not matter.
func (d rootDisk) each(folder string, f visitor) error {
	dir, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		infos, err := dir.Readdir(256)
		for _, info := range infos {
			if err := f(info); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// syncDirectory syncs and closes what os.Open returned.
func syncDirectory(dir *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
