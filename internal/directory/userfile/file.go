package userfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/password"
	"github.com/posthouse/posthouse/internal/plainfile"
)

// MaxFile is how long a file may be, in octets: about a hundred thousand users.
const MaxFile = 32 << 20

// Options say where accounts are kept.
type Options struct {
	Name  string
	Files plainfile.Opener // nil: those of this machine
	Log   *slog.Logger     // hears of a changed file that cannot be used; nil is silence
}

// File is accounts in a file. Make one with [Open]. It may be used by many
// goroutines.
type File struct {
	opts Options
	now  atomic.Pointer[edition]
	bad  atomic.Pointer[stamp] // of the change that could not be used, and was told
	gate *password.Gate
	key  []byte // of the decoys
}

var (
	_ directory.Accounts = (*File)(nil)
	_ directory.Finder   = (*File)(nil)
)

// edition is the file as it was read.
type edition struct {
	stamp *stamp
	users map[string]*User
	scram bool // every user with a password has a verifier

	decoys *password.Decoys // of the costs that there are
}

// stamp tells one state of a file from another.
type stamp struct{ info fs.FileInfo }

func (s *stamp) same(o *stamp) bool {
	return s != nil && o != nil && s.info.Size() == o.info.Size() && s.info.ModTime().Equal(o.info.ModTime()) && os.SameFile(s.info, o.info)
}

// Open reads a file. The error names the line, and not what is in it.
func Open(o Options) (*File, error) {
	if o.Files == nil {
		o.Files = plainfile.Disk{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &File{opts: o, gate: password.NewGate(), key: password.NewKey()}
	e, err := f.read(nil)
	if err != nil {
		return nil, err
	}
	f.now.Store(e)
	return f, nil
}

// Len is how many accounts there are.
func (f *File) Len() int { return len(f.current().users) }

// Names returns the names of all accounts, in order.
func (f *File) Names() []string {
	var names []string
	for name := range f.current().users {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Find implements [directory.Finder].
func (f *File) Find(_ context.Context, name string) (*directory.Account, error) {
	if u := f.current().users[directory.FoldName(name)]; u != nil {
		return u.account(), nil
	}
	return nil, directory.ErrNoLogin
}

// HasSCRAM implements [directory.Finder].
func (f *File) HasSCRAM() bool { return f.current().scram }

// Check implements [directory.Accounts].
func (f *File) Check(ctx context.Context, name, word string) (*directory.Account, error) {
	e := f.current()
	u := e.users[directory.FoldName(name)]
	kept := e.decoys.For(directory.FoldName(name))
	if u != nil && u.Password != nil {
		kept = u.Password
	}
	if err := f.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer f.gate.Leave()
	prepared, err := password.Prepare(word) // if it fails, the empty password is tried, which is nobody's
	if !kept.Fits(prepared) || err != nil || u == nil || u.Password == nil {
		return nil, directory.ErrNoLogin
	}
	return u.account(), nil
}

// current is the file as it is now. A change that cannot be used changes nothing and
// is told once.
func (f *File) current() *edition {
	was := f.now.Load()
	e, err := f.read(was)
	var bad *badFile
	switch {
	case err == nil:
		f.now.CompareAndSwap(was, e) // else another goroutine has read it too
		return e
	case errors.As(err, &bad) && bad.stamp != nil:
		if before := f.bad.Load(); before.same(bad.stamp) || !f.bad.CompareAndSwap(before, bad.stamp) {
			return was
		}
	}
	f.opts.Log.Error("the users before stay, since their file cannot be used", "file", f.opts.Name, "error", err)
	return was
}

// badFile is an error of a state of the file.
type badFile struct {
	stamp *stamp
	error
}

func (b *badFile) Unwrap() error { return b.error }

// read reads the file unless it is as it was.
func (f *File) read(was *edition) (*edition, error) {
	r, err := f.opts.Files.Open(f.opts.Name)
	if err != nil {
		return nil, err
	}
	info, err := r.Stat()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	s := &stamp{info}
	if was != nil && was.stamp.same(s) {
		return was, r.Close()
	}
	e, err := f.load(r, info)
	if err != nil {
		return nil, &badFile{s, err}
	}
	e.stamp = s
	return e, nil
}

// load reads an open file to its end and closes it.
func (f *File) load(r fs.File, info fs.FileInfo) (*edition, error) {
	if err := plainfile.CheckPrivate(info); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	text, err := plainfile.Read(r, MaxFile)
	if err != nil {
		return nil, err
	}
	e := &edition{users: map[string]*User{}, scram: true, decoys: password.NewDecoys(f.key)}
	at := map[string]int{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if isComment(line) {
			continue
		}
		u, err := ParseUser(line)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		case at[u.Name] != 0:
			return nil, fmt.Errorf("line %d: %s is in line %d already", n, u.Name, at[u.Name])
		}
		at[u.Name], e.users[u.Name] = n, u
		e.scram = e.scram && (u.Password == nil || u.SCRAM != nil)
		if u.Password != nil {
			e.decoys.See(u.Password)
		}
	}
	return e, nil
}

func isComment(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}
