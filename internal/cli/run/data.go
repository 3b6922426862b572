package run

import (
	"errors"
	"io/fs"
	"os"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/transport/maildir"
)

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

// dataFault says what to do about a data directory that cannot be used.
func dataFault(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return cli.Fail(cli.NoPerm, "%w (choose a directory that you may write to)", err)
	}
	return cli.Fail(cli.CantCreate, "data directory %s: %w (choose another one with --data)", dir, err)
}
