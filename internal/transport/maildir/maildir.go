// Package maildir delivers messages into a Maildir: a directory with the
// folders tmp, new and cur, in which each message is a file of its own
// (https://cr.yp.to/proto/maildir.html).
//
// [Open] a Maildir once; it may be used by any number of goroutines, and other
// programs may read from it meanwhile. For each message [Maildir.Create] a
// [Draft], write the text into it and end it with Commit or Abort:
//
//	tmp/name created ─► written ─► file synced ─► renamed to new/name ─► new synced ═► Commit returns
//
// A crash before the rename leaves a file in tmp, which no reader looks at and
// which a later Open removes once it is old. A crash after it leaves a whole
// message in new. So a message that Commit promised is there after a crash, and
// one that it did not promise is there whole or not at all.
//
// A [Transport] does so for the recipients of a delivery, in Maildirs whose paths
// are made of their addresses.
package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// staleAfter is the age at which a file in tmp has no writer any more: the
// Maildir convention gives a delivery 24 hours, readers wait 36.
const staleAfter = 36 * time.Hour

// Maildir is an open Maildir.
type Maildir struct {
	disk  Root
	names *namer
	news  *sharedSync
}

// Open opens the Maildir dir and creates what is missing of it, the
// directories above it included, readable by the owner only. Files that dead
// deliveries left in tmp are removed.
//
// Once dir is open nothing outside of it is touched, whatever symbolic links
// are put into it.
func Open(dir string) (*Maildir, error) { return OpenOn(System{}, dir) }

// OpenOn is [Open] on another disk than that of this machine.
func OpenOn(disk Disk, dir string) (*Maildir, error) {
	if err := makeDirectory(disk, dir); err != nil {
		return nil, err
	}
	d, err := disk.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	m, err := open(d)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return m, nil
}

func open(d Root) (*Maildir, error) {
	for _, folder := range []string{"tmp", "new", "cur"} {
		if err := d.MakeFolder(folder); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(d.Hold("tmp"), d.Hold("new"), d.SyncFolder(".")); err != nil {
		return nil, err
	}
	if err := removeStale(d, time.Now().Add(-staleAfter)); err != nil {
		return nil, err
	}
	return &Maildir{
		disk:  d,
		names: newNamer(),
		news:  newSharedSync(func() error { return d.SyncFolder("new") }),
	}, nil
}

// Close ends the use of the Maildir. Drafts that are not at their end fail.
func (m *Maildir) Close() error { return m.disk.Close() }

// Create begins a message.
func (m *Maildir) Create() (*Draft, error) { return m.create(draftBuffer) }

// create begins a message of about so many octets.
func (m *Maildir) create(size int64) (*Draft, error) {
	name := m.names.next(time.Now())
	f, err := m.disk.Create("tmp/" + name)
	if err != nil {
		return nil, err
	}
	return newDraft(m, name, f, size), nil
}

// removeStale removes the files of tmp that were last written before the given
// time. That another program removed one first is no error.
func removeStale(d Root, before time.Time) error {
	return d.Each("tmp", func(info fs.FileInfo) error {
		if !info.Mode().IsRegular() || !info.ModTime().Before(before) {
			return nil
		}
		err := d.Remove("tmp/" + info.Name())
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// MakeDirectory creates dir and the directories above it that are missing,
// readable by the owner only, and syncs the parent of each, so that a crash
// cannot take them away from under a message.
func MakeDirectory(dir string) error { return makeDirectory(System{}, dir) }

func makeDirectory(d Disk, dir string) error {
	info, err := d.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := makeDirectory(d, parent); err != nil {
		return err
	}
	if err := d.MakeFolder(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.SyncFolder(parent)
}
