package house

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/internal/simdisk"
	"github.com/posthouse/posthouse/internal/transport/maildir"
)

// mailroom is what a life of a house has on its simulated disk beside the spool: Maildirs,
// and the directory where programs drop letters. Every disk operation of either can be the last.
type mailroom struct {
	*simdisk.Disk
	world *World
	name  string // of the house
}

// where things are on the disk of a house with a mailroom.
const (
	dataFolder = "/var/posthouse"
	mailFolder = "/var/mail"
	dropFolder = dataFolder + "/" + maildrop.Name
)

// furnish makes durable what the installation of a house makes.
func (m *mailroom) furnish() error {
	for _, folder := range []string{dataFolder, mailFolder} {
		if err := errors.Join(m.MkdirAll(folder, 0o700), m.SyncFolder("/"), m.SyncFolder("/var")); err != nil {
			return err
		}
	}
	return nil
}

// SyncFolder implements [maildir.Disk] and [maildrop.Disk].
func (m *mailroom) SyncFolder(name string) error {
	d, err := m.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Stat implements [maildir.Disk] and [maildrop.Disk].
func (m *mailroom) Stat(name string) (fs.FileInfo, error) {
	info, err := m.Disk.Stat(name)
	if err != nil {
		return nil, err
	}
	return standing(info), nil
}

// create makes a file that is not there.
func (m *mailroom) create(name string) (*scroll, error) {
	if _, err := m.Stat(name); err == nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f, err := m.Disk.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &scroll{File: f}, nil
}

// read is the text of a file.
func (m *mailroom) read(name string) (string, error) {
	f, err := m.Disk.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

// scroll is a file that is written from wherever it was sought to.
type scroll struct {
	vfs.File
	at int64
}

// Write implements [io.Writer].
func (s *scroll) Write(p []byte) (int, error) {
	n, err := s.WriteAt(p, s.at)
	s.at += int64(n)
	return n, err
}

// Seek implements [io.Seeker].
func (s *scroll) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart {
		return 0, syscall.EINVAL
	}
	s.at = offset
	return offset, nil
}

// Stat implements [maildrop.File].
func (s *scroll) Stat() (fs.FileInfo, error) {
	info, err := s.File.Stat()
	if err != nil {
		return nil, err
	}
	return standing(info), nil
}

// SyncAround implements [maildrop.File]: no folder here keeps anybody out.
func (s *scroll) SyncAround() error { return syscall.ENOTSUP }

// Lock implements [maildrop.File]: nobody else sweeps here.
func (s *scroll) Lock() (free bool, err error) { return true, nil }

// owned is what Stat tells, with what a system has beside.
type owned struct {
	fs.FileInfo
	stat *syscall.Stat_t
}

// Sys implements [fs.FileInfo].
func (o owned) Sys() any { return o.stat }

// standing has a file belong to somebody who has no name on any machine.
func standing(info fs.FileInfo) fs.FileInfo {
	stat := &syscall.Stat_t{Uid: 4_000_000_000}
	if l, is := info.(interface{ Links() int }); is {
		for range l.Links() { // the width of Nlink is not the same everywhere
			stat.Nlink++
		}
	}
	return owned{info, stat}
}

// drops is a mailroom as [maildrop.Disk].
type drops struct{ *mailroom }

var _ maildrop.Disk = drops{}

// MakeFolder implements [maildrop.Disk].
func (d drops) MakeFolder(name string, _ fs.FileMode) error { return d.MkdirAll(name, 0o700) }

// Names implements [maildrop.Disk].
func (d drops) Names(folder string, most int) ([]string, error) {
	names, err := d.List(folder)
	return names[:min(len(names), most)], err
}

// Create implements [maildrop.Disk].
func (d drops) Create(name string) (maildrop.File, error) { return d.create(name) }

// Open implements [maildrop.Disk].
func (d drops) Open(name string) (maildrop.File, error) {
	f, err := d.Disk.Open(name)
	if err != nil {
		return nil, err
	}
	return &scroll{File: f}, nil
}

// Lstat implements [maildrop.Disk].
func (d drops) Lstat(name string) (fs.FileInfo, error) { return d.Stat(name) }

// Same implements [maildrop.Disk]: nothing here is replaced within an instant.
func (d drops) Same(a, b fs.FileInfo) bool {
	return a.Name() == b.Name() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// mailboxes is a mailroom as [maildir.Disk].
type mailboxes struct{ *mailroom }

var _ maildir.Disk = mailboxes{}

// MakeFolder implements [maildir.Disk].
func (b mailboxes) MakeFolder(name string) error {
	if _, err := b.Stat(name); err == nil {
		return fs.ErrExist
	}
	return b.MkdirAll(name, 0o700)
}

// OpenRoot implements [maildir.Disk].
func (b mailboxes) OpenRoot(name string) (maildir.Root, error) {
	_, err := b.Stat(name)
	return mailbox{b.mailroom, name}, err
}

// mailbox is a Maildir.
type mailbox struct {
	room *mailroom
	dir  string
}

func (b mailbox) in(name string) string { return b.dir + "/" + name }

// MakeFolder implements [maildir.Root].
func (b mailbox) MakeFolder(name string) error { return b.room.MkdirAll(b.in(name), 0o700) }

// Hold implements [maildir.Root].
func (b mailbox) Hold(string) error { return nil }

// SyncFolder implements [maildir.Root].
func (b mailbox) SyncFolder(name string) error { return b.room.SyncFolder(b.in(name)) }

// Create implements [maildir.Root].
func (b mailbox) Create(name string) (maildir.File, error) { return b.room.create(b.in(name)) }

// Remove implements [maildir.Root].
func (b mailbox) Remove(name string) error { return b.room.Remove(b.in(name)) }

// Close implements [maildir.Root].
func (b mailbox) Close() error { return nil }

// Rename implements [maildir.Root]. From then on a reader may have the message, and the
// account is told.
func (b mailbox) Rename(from, to string) error {
	if err := b.room.Rename(b.in(from), b.in(to)); err != nil {
		return err
	}
	text, err := b.room.read(b.in(to))
	if err == nil {
		b.room.world.Account.took(b.room.taken(text))
	}
	return err
}

// Each implements [maildir.Root].
func (b mailbox) Each(folder string, f func(fs.FileInfo) error) error {
	names, err := b.room.List(b.in(folder))
	for _, name := range names {
		info, err := b.room.Stat(b.in(folder + "/" + name))
		if err == nil {
			err = f(info)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// taken is a text that is in a Maildir.
func (m *mailroom) taken(text string) Taken {
	t := Taken{At: time.Now(), By: "mx." + m.name, Text: text}
	for line := range strings.SplitSeq(text, "\r\n") {
		if to, is := strings.CutPrefix(line, "Delivered-To: "); is {
			t.To = to
			break
		}
	}
	return t
}
