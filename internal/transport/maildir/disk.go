package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// rootDisk is the real one. Its root keeps names from leading out of the
// Maildir by way of symbolic links; tmp and new are held open, since to find them
// again for each message would cost more system calls than all the rest.
type rootDisk struct {
	root    *os.Root
	folders map[string]heldFolder // tmp and new, once they are there
}

type heldFolder struct {
	*os.File
	info fs.FileInfo
}

func (d *rootDisk) MakeFolder(name string) error {
	err := d.root.Mkdir(name, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := d.root.Lstat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s/%s is not a directory", d.root.Name(), name)
	}
	return nil
}

// hold opens a folder for as long as the disk is used.
func (d *rootDisk) Hold(name string) error {
	f, err := d.root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if d.folders == nil {
		d.folders = map[string]heldFolder{}
	}
	d.folders[name] = heldFolder{f, info}
	return nil
}

// held returns a folder that is held, if it is still what its name leads to: in
// one that was moved away nobody would look for the mail.
func (d *rootDisk) held(name string) (*os.File, error) {
	f, is := d.folders[name]
	if !is {
		return nil, fs.ErrInvalid
	}
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !os.SameFile(info, f.info) {
		return nil, fmt.Errorf("%s is not what it was when the Maildir was opened", name)
	}
	return f.File, nil
}

func (d *rootDisk) SyncFolder(name string) error {
	if f, is := d.folders[name]; is {
		return f.Sync()
	}
	return syncDirectory(d.root.Open(name))
}

func (d *rootDisk) Create(name string) (f File, err error) {
	folder, base := path.Split(name)
	err = d.in(folder, func(dir int) error {
		return again(func() error {
			fd, err := unix.Openat(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
			if err == nil {
				f = os.NewFile(uintptr(fd), name)
			}
			return err
		})
	})
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	return f, nil
}

func (d *rootDisk) Rename(from, to string) error {
	fromFolder, old := path.Split(from)
	toFolder, base := path.Split(to)
	err := d.in(fromFolder, func(source int) error {
		return d.in(toFolder, func(target int) error {
			return again(func() error { return unix.Renameat(source, old, target, base) })
		})
	})
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// in calls do with the descriptor of a folder that is held, which is not closed
// meanwhile.
func (d *rootDisk) in(folder string, do func(dir int) error) error {
	f, err := d.held(path.Clean(folder))
	if err != nil {
		return err
	}
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = c.Control(func(fd uintptr) { failed = do(int(fd)) })
	return errors.Join(err, failed)
}

// again repeats what a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func (d *rootDisk) Remove(name string) error { return d.root.Remove(name) }

func (d *rootDisk) Close() error {
	var errs []error
	for _, f := range d.folders {
		errs = append(errs, f.Close())
	}
	return errors.Join(append(errs, d.root.Close())...)
}

// each reads the folder in steps, so that its size does not matter.
func (d *rootDisk) Each(folder string, f func(fs.FileInfo) error) error {
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
