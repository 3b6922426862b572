package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

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
	raw  syscall.RawConn // of the File
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
	raw, err := f.SyscallConn()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if d.folders == nil {
		d.folders = map[string]heldFolder{}
	}
	d.folders[name] = heldFolder{f, raw, info}
	return nil
}

// SyncFolder fails if the folder is held, and is no longer what its name leads to: in
// one that was moved away nobody would look for the mail.
func (d *rootDisk) SyncFolder(name string) error {
	f, is := d.folders[name]
	if !is {
		return syncDirectory(d.root.Open(name))
	}
	if err := f.Sync(); err != nil {
		return err
	}
	info, err := d.root.Lstat(name)
	if err == nil && !os.SameFile(info, f.info) {
		err = fmt.Errorf("%s is not what it was when the Maildir was opened", name)
	}
	return err
}

func (d *rootDisk) Create(name string) (f File, err error) {
	err = d.in(name, func(dir int, base string) error {
		fd, err := unix.Openat(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
		if err == nil {
			f = &newFile{fd: fd, name: name}
		}
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	return f, nil
}

func (d *rootDisk) Rename(from, to string) error {
	err := d.in(from, func(source int, old string) error {
		return d.in(to, func(target int, base string) error {
			return unix.Renameat(source, old, target, base)
		})
	})
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (d *rootDisk) Remove(name string) error {
	err := d.in(name, func(dir int, base string) error { return unix.Unlinkat(dir, base, 0) })
	if err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

// in calls do with the descriptor of the folder of a file, which is held and not closed
// meanwhile, and with the file's name in it. It does so again if a signal came between.
func (d *rootDisk) in(name string, do func(dir int, base string) error) error {
	folder, base := path.Split(name)
	f, is := d.folders[path.Clean(folder)]
	if !is {
		return fs.ErrInvalid
	}
	var failed error
	err := f.raw.Control(func(fd uintptr) {
		failed = again(func() error { return do(int(fd), base) })
	})
	return errors.Join(err, failed)
}

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
