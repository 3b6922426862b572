package maildrop

import (
	"cmp"
	"errors"
	"io/fs"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// take opens a file of a folder, locks it and moves it to taken. Without error it
// is nil if there is nothing to do: somebody else is at it, or was. The error is a
// [*DamagedError] if the file is not one that [Add] makes.
func (s *Sweeper) take(folder, name string) (File, error) {
	path := s.path(folder, name)
	// Neither a link nor a pipe that nobody writes to gets any further than this.
	f, err := s.disk().Open(path)
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
		err = s.move(folder, name, taken, name)
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
func (s *Sweeper) lock(f File, path string) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if err := s.inspect(info); err != nil {
		return false, err
	}
	if free, err := f.Lock(); err != nil || !free {
		return false, err
	}
	now, err := s.disk().Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !s.disk().Same(info, now) {
		return false, err
	}
	return s.alone(now, path)
}

// alone reports whether a file has no other name, or none any more but the one in path.
// A power cut in the middle of a move may leave both names of it: then the file is where the way
// of a letter ends later. Any other name would let somebody leave the file of another person.
func (s *Sweeper) alone(info fs.FileInfo, path string) (bool, error) {
	if links(info) <= 1 {
		return true, nil
	}
	var ours []string // folders in which it has this name
	for _, folder := range []string{tmp, fresh, waiting, taken} {
		other, err := s.disk().Lstat(s.path(folder, filepath.Base(path)))
		if err == nil && s.disk().Same(info, other) {
			ours = append(ours, folder)
		}
	}
	if uint64(len(ours)) != links(info) {
		return false, damaged("it has %d names", links(info))
	}
	last := len(ours) - 1
	for _, folder := range ours[:last] {
		old := s.path(folder, filepath.Base(path))
		if err := cmp.Or(s.disk().Remove(old), s.disk().SyncFolder(s.path(folder, ""))); err != nil {
			return false, err
		}
	}
	return s.path(ours[last], filepath.Base(path)) == path, nil // else its turn comes there
}

// inspect looks at what a name stands for, before anything is read.
func (s *Sweeper) inspect(info fs.FileInfo) error {
	largest := cmp.Or(s.Largest, defaultLargest)
	_, is := info.Sys().(*syscall.Stat_t)
	switch {
	case !is || !info.Mode().IsRegular():
		return damaged("it is no file but %s", info.Mode().Type())
	case info.Size() > largest:
		return damaged("it has %d octets, and %d are the most", info.Size(), largest)
	}
	return nil
}

// links is how many names a file has. Files that take has opened have them counted.
func links(info fs.FileInfo) uint64 {
	stat, is := info.Sys().(*syscall.Stat_t)
	if !is {
		return 0
	}
	return uint64(stat.Nlink)
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
