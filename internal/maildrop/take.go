package maildrop

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// take opens a file of a folder, locks it and moves it to taken. Without error it
// is nil if there is nothing to do: somebody else is at it, or was. The error is a
// [*DamagedError] if the file is not one that [Add] makes.
func (s *Sweeper) take(folder, name string) (*os.File, error) {
	path := s.path(folder, name)
	// Neither a link nor a pipe that nobody writes to gets any further than this.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENXIO), errors.Is(err, fs.ErrPermission):
		return nil, damaged("it cannot be opened: %v", errors.Unwrap(err))
	case err != nil:
		return nil, err
	}
	mine, err := s.lock(f, path)
	if err == nil && mine && folder != taken {
		err = os.Rename(path, s.path(taken, name))
	}
	if err == nil && mine {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, fs.ErrNotExist) { // whoever left it took it back
		err = nil
	}
	return nil, err
}

// lock reports whether the file is ours now. It is looked at again under the lock:
// who held it before may have moved or removed it.
func (s *Sweeper) lock(f *os.File, path string) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if err := s.inspect(info); err != nil {
		return false, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, os.NewSyscallError("flock", err)
	}
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(info, now), err
}

// inspect looks at what a name stands for, before anything is read. A second name
// would let somebody leave the file of another person.
func (s *Sweeper) inspect(info fs.FileInfo) error {
	largest := cmp.Or(s.Largest, defaultLargest)
	stat, is := info.Sys().(*syscall.Stat_t)
	switch {
	case !is || !info.Mode().IsRegular():
		return damaged("it is no file but %s", info.Mode().Type())
	case stat.Nlink > 1:
		return damaged("it has %d names", stat.Nlink)
	case info.Size() > largest:
		return damaged("it has %d octets, and %d are the most", info.Size(), largest)
	}
	return nil
}

// ownerOf is the user who has a file. Files that take has opened have one.
func ownerOf(info fs.FileInfo) uint32 {
	stat, is := info.Sys().(*syscall.Stat_t)
	if !is {
		return ^uint32(0) // nobody
	}
	return stat.Uid
}

// Login is the name of a user of this machine, or "uid-" and the number of one who
// has none.
func Login(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(number)
	if err != nil || u.Username == "" {
		return "uid-" + number
	}
	return u.Username
}
