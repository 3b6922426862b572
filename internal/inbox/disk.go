package inbox

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/posthouse/posthouse/internal/mail"
)

// disk is files in a directory: a folder for each inbox, in it ID.eml and ID.json for
// each message. A message is there when its ID.json is: that file is renamed into place
// last, when the source is synced and has its name, and then the folder is synced. What a
// crash has left half-way is removed when the store is opened.
type disk struct {
	root string
	lock *os.File
	log  *slog.Logger

	altering sync.Mutex // one record at a time is changed
}

// Names of files, and their endings.
const (
	lockName     = "lock"
	sourceEnding = ".eml"
	recordEnding = ".json"
	newEnding    = ".new"
)

// maxRecord is the longest record that is read, in octets.
const maxRecord = 4 << 20

func openDisk(root string, log *slog.Logger) (*disk, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(root, lockName))
	if err != nil {
		return nil, err
	}
	return &disk{root: root, lock: lock, log: log}, nil
}

// lockFile makes a file and locks it until it is closed or the process ends, however that
// ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	return nil, errors.Join(err, f.Close())
}

func (d *disk) close() { _ = d.lock.Close() }

func (d *disk) path(inbox string, id mail.ID, ending string) string {
	return filepath.Join(d.root, folder(inbox), id.String()+ending)
}

func (d *disk) write(r *record, source []byte) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	m := &r.Message
	if err := d.makeFolder(m.Inbox); err != nil {
		return err
	}
	err = replace(d.path(m.Inbox, m.ID, sourceEnding), source, true)
	if err == nil {
		err = replace(d.path(m.Inbox, m.ID, recordEnding), text, true)
	}
	if err == nil {
		err = syncFolder(filepath.Join(d.root, folder(m.Inbox)))
	}
	if err != nil {
		d.remove(m.Inbox, m.ID)
	}
	return err
}

// makeFolder makes the folder of an inbox, durably.
func (d *disk) makeFolder(inbox string) error {
	err := os.Mkdir(filepath.Join(d.root, folder(inbox)), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncFolder(d.root)
}

// replace writes a file under another name, and puts it in its place.
func replace(path string, text []byte, durable bool) error {
	f, err := os.OpenFile(path+newEnding, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+newEnding, path)
	}
	if err != nil {
		_ = os.Remove(path + newEnding)
	}
	return err
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *disk) open(inbox string, id mail.ID) (io.ReadSeekCloser, error) {
	f, err := os.Open(d.path(inbox, id, sourceEnding))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *disk) read(inbox string, id mail.ID) (*record, error) {
	r, err := readRecord(d.path(inbox, id, recordEnding))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	return r, err
}

func readRecord(path string) (*record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := new(record)
	return r, json.NewDecoder(io.LimitReader(f, maxRecord)).Decode(r)
}

func (d *disk) alter(inbox string, id mail.ID, change func(*record)) (*record, error) {
	d.altering.Lock()
	defer d.altering.Unlock()
	r, err := d.read(inbox, id)
	if err != nil {
		return nil, err
	}
	change(r)
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return r, replace(d.path(inbox, id, recordEnding), text, false)
}

// remove removes a message. A folder that is empty then goes when the store is opened again.
func (d *disk) remove(inbox string, id mail.ID) {
	d.altering.Lock() // else a record could come back that is being changed
	defer d.altering.Unlock()
	for _, ending := range []string{recordEnding, sourceEnding} {
		if err := os.Remove(d.path(inbox, id, ending)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.log.Error("a message of the inbox cannot be removed", "id", id, "err", err)
		}
	}
}

// each gives every message to a function, and clears away what no message needs.
func (d *disk) each(do func(*record)) error {
	folders, err := os.ReadDir(d.root)
	if err != nil {
		return err
	}
	for _, f := range folders {
		if f.IsDir() {
			if err := d.eachIn(filepath.Join(d.root, f.Name()), do); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *disk) eachIn(path string, do func(*record)) error {
	files, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	whole := map[string]bool{}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), recordEnding)
		if !ok {
			continue
		}
		whole[name] = true
		if r := d.recordOf(path, name); r != nil {
			do(r)
		}
	}
	for _, f := range files {
		name, source := strings.CutSuffix(f.Name(), sourceEnding)
		if strings.HasSuffix(f.Name(), newEnding) || source && !whole[name] {
			_ = os.Remove(filepath.Join(path, f.Name())) // it was never promised
		}
	}
	_ = os.Remove(path) // if it is empty
	return nil
}

// recordOf reads a record that was found. One that is not what we wrote is passed over.
func (d *disk) recordOf(path, name string) *record {
	r, err := readRecord(filepath.Join(path, name+recordEnding))
	if err == nil && (r.Message.ID.String() != name || folder(r.Message.Inbox) != filepath.Base(path) || Fold(r.Message.Inbox) != r.Message.Inbox) {
		err = errors.New("it does not belong where it is")
	}
	if err != nil {
		d.log.Warn("a message of the inbox is passed over", "file", filepath.Join(path, name+recordEnding), "err", err)
		return nil
	}
	return r
}
