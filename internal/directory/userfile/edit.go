package userfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/plainfile"
)

// Errors of a change.
var (
	ErrExists  = errors.New("there is a user of that name already")
	ErrMissing = errors.New("there is no user of that name")
)

// Change is a change to a file. Each of its functions may be called more than once.
type Change struct{ lines []string }

// Edit changes a file, or makes it, with mode 0600: the change is made with change,
// whose error leaves everything as it is. What others do to the file by Edit meanwhile
// waits. When Edit returns without error, the change is on the disk.
func Edit(name string, change func(*Change) error) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target // a link stays one
	}
	lock, err := lockFile(name + ".lock")
	if err != nil {
		return err
	}
	defer lock.Close() // the file stays: to remove it would let two at it
	before, err := readFile(name)
	if err != nil {
		return err
	}
	c := &Change{lines: before.lines}
	if err := change(c); err != nil {
		return err
	}
	return replaceFile(name, c.text(), before.info)
}

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

// contents is a file as it was; info is nil if there was none.
type contents struct {
	lines []string
	info  fs.FileInfo
}

func readFile(name string) (contents, error) {
	f, err := plainfile.Disk{}.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return contents{}, nil
	}
	if err != nil {
		return contents{}, err
	}
	info, err := f.Stat()
	if err == nil {
		err = plainfile.CheckPrivate(info)
	}
	if err != nil {
		return contents{}, fmt.Errorf("%s: %w", name, errors.Join(err, f.Close()))
	}
	text, err := plainfile.Read(f, MaxFile)
	if err != nil {
		return contents{}, fmt.Errorf("%s: %w", name, err)
	}
	c := contents{info: info}
	for line := range strings.Lines(string(text)) {
		c.lines = append(c.lines, strings.TrimRight(line, "\r\n"))
	}
	return c, nil
}

// replaceFile puts a text in the place of a file, whole or not at all.
func replaceFile(name, text string, before fs.FileInfo) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // of no effect once it has its name
	_, err = tmp.WriteString(text)
	if err == nil && before != nil {
		err = likeBefore(tmp, before)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// likeBefore gives a file the mode and, if we may, the owner of the one before.
func likeBefore(f *os.File, before fs.FileInfo) error {
	if s, ok := before.Sys().(*syscall.Stat_t); ok {
		err := f.Chown(int(s.Uid), int(s.Gid))
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return f.Chmod(before.Mode().Perm())
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// text is the file with its changes.
func (c *Change) text() string {
	if len(c.lines) == 0 {
		return ""
	}
	return strings.Join(c.lines, "\n") + "\n"
}

// find returns the line of a user, -1 if there is none.
func (c *Change) find(name string) (int, *User, error) {
	name = directory.FoldName(name)
	for i, line := range c.lines {
		fields := strings.Fields(line)
		if isComment(line) || directory.FoldName(fields[0]) != name {
			continue
		}
		u, err := ParseUser(line)
		if err != nil {
			err = fmt.Errorf("line %d: %w", i+1, err)
		}
		return i, u, err
	}
	return -1, nil, nil
}

// Add adds a user. [ErrExists] if there is one of that name.
func (c *Change) Add(u *User) error {
	if err := CheckName(u.Name); err != nil {
		return err
	}
	i, _, err := c.find(u.Name)
	switch {
	case err != nil:
		return err
	case i >= 0:
		return ErrExists
	}
	c.lines = append(c.lines, u.String())
	return nil
}

// Update changes a user with update. [ErrMissing] if there is none of that name.
func (c *Change) Update(name string, update func(*User) error) error {
	i, u, err := c.find(name)
	switch {
	case err != nil:
		return err
	case i < 0:
		return ErrMissing
	}
	if err := update(u); err != nil {
		return err
	}
	c.lines[i] = u.String()
	return nil
}

// Remove removes a user. [ErrMissing] if there is none of that name.
func (c *Change) Remove(name string) error {
	i, _, err := c.find(name)
	switch {
	case err != nil:
		return err
	case i < 0:
		return ErrMissing
	}
	c.lines = append(c.lines[:i], c.lines[i+1:]...)
	return nil
}

// List reads all users of a file, in the order in which they stand there. A file that
// does not exist has none.
func List(name string) ([]*User, error) {
	before, err := readFile(name)
	if err != nil {
		return nil, err
	}
	var all []*User
	for i, line := range before.lines {
		if isComment(line) {
			continue
		}
		u, err := ParseUser(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, i+1, err)
		}
		all = append(all, u)
	}
	return all, nil
}
