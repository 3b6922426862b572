// Package plainfile reads the files that people write for the program: the
// configuration, aliases, lists of mailboxes. What somebody else wrote there, or
// made of the name, cannot hang the program or fill its memory: only regular
// files are read, and only up to a length.
package plainfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Opener opens files for reading. Names are those of the system, as for
// [os.Open].
type Opener interface {
	Open(name string) (fs.File, error)

	// OpenIn opens a file below a directory. The name is relative to it, and
	// neither ".." nor a link leads out of it.
	OpenIn(dir, name string) (fs.File, error)
}

// Disk is the files of this machine. Opening waits for nobody: a named pipe is
// opened like a file, so that [Read] can refuse it.
type Disk struct{}

// Open implements [Opener].
func (Disk) Open(name string) (fs.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// OpenIn implements [Opener].
func (Disk) OpenIn(dir, name string) (fs.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Read reads a file to its end and closes it. It is an error if it is no regular
// file or longer than most octets; the error does not name the file.
func Read(f fs.File, most int64) ([]byte, error) {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, errors.New("it is a directory, not a file")
	case !mode.IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > most:
		return nil, tooLong(most)
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most { // it has grown, or says 0 as those of /proc do
		err = tooLong(most)
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}

// CheckPrivate says what is wrong with the mode of a file that holds secrets: its
// owner may read and write it, its group may read it, and others have no business
// there. What is no regular file is not looked at.
func CheckPrivate(info fs.FileInfo) error {
	mode := info.Mode().Perm()
	if !info.Mode().IsRegular() || mode&^0o640 == 0 {
		return nil
	}
	return fmt.Errorf("its mode is %04o, and it holds secrets: let it be 0600, or 0640 for a group that may read it", mode)
}

func tooLong(most int64) error {
	return fmt.Errorf("it is longer than %d octets", most)
}
