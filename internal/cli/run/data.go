package run

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/transport/maildir"
)

// data is the data directory, which one process uses at a time.
type data struct {
	dir  string
	lock *os.File
	box  *maildir.Maildir
}

// What is in a data directory.
const (
	maildirName     = "maildir"
	lockName        = "lock"
	certificateName = "certificate.pem"
)

// openData makes the data directory if it is missing, and locks it.
func openData(dir string) (*data, error) {
	if err := maildir.MakeDirectory(dir); err != nil {
		return nil, dataFault(dir, err)
	}
	lock, err := lockFile(filepath.Join(dir, lockName))
	if errors.Is(err, errLocked) {
		return nil, cli.Fail(cli.TempFail,
			"%s is in use by another posthouse (end that one, or choose another directory with --data)", dir)
	}
	if err != nil {
		return nil, dataFault(dir, err)
	}
	box, err := maildir.Open(filepath.Join(dir, maildirName))
	if err != nil {
		_ = lock.Close()
		return nil, dataFault(dir, err)
	}
	return &data{dir, lock, box}, nil
}

// makeData makes the data directory of a mail system if it is missing. One that root
// makes is for the whole machine: others may pass through it, but not look around,
// to where sendmail submits mail; what is below and is not theirs is closed to them.
func makeData(dir string) error {
	_, err := os.Lstat(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	if err := maildir.MakeDirectory(dir); err != nil {
		return err
	}
	if missing && os.Geteuid() == 0 {
		return os.Chmod(dir, 0o711)
	}
	return nil
}

func (d *data) close() {
	_ = d.box.Close()
	_ = d.lock.Close() // unlocks
}

// dataFault says what to do about a data directory that cannot be used.
func dataFault(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return cli.Fail(cli.NoPerm, "%w (choose a directory that you may write to)", err)
	}
	return cli.Fail(cli.CantCreate, "data directory %s: %w (choose another one with --data)", dir, err)
}
