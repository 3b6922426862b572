package maildrop

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Names in the data directory of a daemon, for programs of its machine.
const (
	Name         = "drop"        // the drop directory
	SubmitSocket = "submit.sock" // where the daemon takes mail at once, while it is there
)

// The folders of a drop directory.
const (
	tmp       = "tmp"
	fresh     = "new"
	taken     = "taken"
	waiting   = "waiting"
	unwelcome = "damaged"
)

// Make makes a drop directory, or sets the modes of one that is there. Shared is one
// for all users of the machine; otherwise it is for that of this process alone.
func Make(dir string, shared bool) error {
	top, open := fs.FileMode(0o700), fs.FileMode(0o700)
	if shared {
		// Its group is that of new files, so that a daemon without privileges can
		// read them; and nobody can touch those of others.
		top, open = 0o711, 0o733|fs.ModeSticky|fs.ModeSetgid
	}
	if err := makeFolder(dir, 0o700); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		mode fs.FileMode
	}{{taken, 0o700}, {waiting, 0o700}, {unwelcome, 0o700}, {tmp, open}, {fresh, open}} {
		if err := makeFolder(filepath.Join(dir, f.name), f.mode); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, top); err != nil {
		return err
	}
	return errors.Join(syncFolder(dir), syncFolder(filepath.Dir(dir)))
}

// makeFolder makes a folder with a mode, whatever the umask is.
func makeFolder(name string, mode fs.FileMode) error {
	if err := os.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "make", Path: name, Err: syscall.ENOTDIR}
	}
	if info.Mode()&^fs.ModeDir == mode {
		return nil // in a service that may not set these bits, the installation has
	}
	return os.Chmod(name, mode)
}

// Add puts a letter into a drop directory that was made. When it returns without
// error the letter is on stable storage and will be found. Otherwise it is not
// there, unless the error is one of the last sync. An error that is
// [fs.ErrNotExist] says that there is no such directory.
func Add(dir string, l *Letter) (name string, err error) {
	id, err := mail.NewID(time.Now(), rand.Reader)
	if err != nil {
		return "", err
	}
	name = id.String()
	writing := filepath.Join(dir, tmp, name)
	f, err := create(writing)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := fill(f, l); err != nil {
		return "", errors.Join(err, os.Remove(writing))
	}
	whole := filepath.Join(dir, fresh, name)
	if err := os.Rename(writing, whole); err != nil {
		return "", errors.Join(err, os.Remove(writing))
	}
	return name, syncName(f, filepath.Dir(whole))
}

// create makes a file that its owner can read, and the group of a shared directory,
// which is the daemon's.
func create(name string) (*os.File, error) {
	folder, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil || folder.Mode()&fs.ModeSetgid == 0 {
		return f, err
	}
	if err := f.Chmod(0o640); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(name))
	}
	return f, nil
}

func fill(f *os.File, l *Letter) error {
	if err := l.writeTo(f); err != nil {
		return err
	}
	return f.Sync()
}

// syncName makes it durable that a file has its name in a folder. A folder that we
// may write to but not read cannot be opened to be synced: then the file system is.
func syncName(f *os.File, folder string) error {
	err := syncFolder(folder)
	if errors.Is(err, fs.ErrPermission) {
		err = syncAround(f)
	}
	return err
}

func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
