package maildrop

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
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
func Make(dir string, shared bool) error { return MakeOn(System{}, dir, shared) }

// MakeOn is [Make] on another disk than that of this machine.
func MakeOn(disk Disk, dir string, shared bool) error {
	top, open := fs.FileMode(0o700), fs.FileMode(0o700)
	if shared {
		// Its group is that of new files, so that a daemon without privileges can
		// read them; and nobody can touch those of others.
		top, open = 0o711, 0o733|fs.ModeSticky|fs.ModeSetgid
	}
	for _, f := range []struct {
		name string
		mode fs.FileMode
	}{{".", 0o700}, {taken, 0o700}, {waiting, 0o700}, {unwelcome, 0o700}, {tmp, open}, {fresh, open}, {".", top}} {
		if err := disk.MakeFolder(filepath.Join(dir, f.name), f.mode); err != nil {
			return err
		}
	}
	return errors.Join(disk.SyncFolder(dir), disk.SyncFolder(filepath.Dir(dir)))
}

// Add puts a letter into a drop directory that was made. When it returns without
// error the letter is on stable storage and will be found. Otherwise it is not
// there, unless the error is one of the last sync. An error that is
// [fs.ErrNotExist] says that there is no such directory.
func Add(dir string, l *Letter) (name string, err error) { return AddOn(System{}, dir, l) }

// AddOn is [Add] on another disk than that of this machine.
func AddOn(disk Disk, dir string, l *Letter) (name string, err error) {
	id, err := mail.NewID(time.Now(), rand.Reader)
	if err != nil {
		return "", err
	}
	name = id.String()
	writing := filepath.Join(dir, tmp, name)
	f, err := disk.Create(writing)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := fill(f, l); err != nil {
		return "", errors.Join(err, disk.Remove(writing))
	}
	whole := filepath.Join(dir, fresh, name)
	if err := disk.Rename(writing, whole); err != nil {
		return "", errors.Join(err, disk.Remove(writing))
	}
	return name, syncName(disk, f, filepath.Dir(whole))
}

func fill(f File, l *Letter) error {
	if err := l.writeTo(f); err != nil {
		return err
	}
	if sabotage.Is("the file of a dropped letter is not synced") {
		return nil
	}
	return f.Sync()
}

// syncName makes it durable that a file has its name in a folder. A folder that we
// may write to but not read cannot be opened to be synced: then the file system is.
func syncName(disk Disk, f File, folder string) error {
	if sabotage.Is("the folder of dropped letters is not synced") {
		return nil
	}
	err := disk.SyncFolder(folder)
	if errors.Is(err, fs.ErrPermission) {
		err = f.SyncAround()
	}
	return err
}
