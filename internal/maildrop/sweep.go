package maildrop

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/posthouse/posthouse/internal/sabotage"
)

// ErrUnwelcome is for a Submit that will never take a letter, and has told its
// sender nothing: the letter is put aside for a person.
var ErrUnwelcome = errors.New("it is not taken")

// Sweeper takes letters out of a drop directory. Several may sweep one directory,
// in several processes: each letter is handed on by one of them.
type Sweeper struct {
	Dir  string // needed; see Make
	Disk Disk   // that has Dir; nil: that of this machine

	// Submit takes a letter over: when it returns nil the letter is its own, durably,
	// and the file is removed. After [ErrUnwelcome] the file goes to damaged; after
	// another error the letter waits. It is needed.
	Submit func(ctx context.Context, l *Letter) error

	Largest int64         // octets of a file; default 1 GiB
	Every   time.Duration // how often Run looks; default 5 s
	Log     *slog.Logger  // nil is silence
}

// Times of Run.
const (
	defaultEvery = 5 * time.Second
	longestWait  = 5 * time.Minute // of letters that wait, which begin with Every
	tidyEvery    = time.Hour
	staleAfter   = 36 * time.Hour
)

// defaultLargest bounds what is read of a file that says it is endless.
const defaultLargest = 1 << 30

// Run sweeps at once and then again and again, until its context ends. Letters that
// were not taken are tried less and less often, up to every 5 minutes.
func (s *Sweeper) Run(ctx context.Context) {
	every := cmp.Or(s.Every, defaultEvery)
	old := patience{wait: every}
	var tidied time.Time
	told := ""
	for ctx.Err() == nil {
		now := time.Now()
		if now.Sub(tidied) >= tidyEvery {
			s.tidy(now)
			tidied = now
		}
		folders := []string{fresh}
		if !now.Before(old.until) {
			folders = []string{taken, waiting, fresh}
		}
		count, err := s.sweep(ctx, folders)
		if len(folders) > 1 {
			old.next(now, every, count.waiting > 0)
		}
		told = s.tellOnce(ctx, told, err)
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// patience is when letters that wait are looked at again.
type patience struct {
	until time.Time
	wait  time.Duration
}

func (p *patience) next(now time.Time, shortest time.Duration, again bool) {
	p.wait = min(2*p.wait, max(longestWait, shortest))
	if !again {
		p.wait = shortest
	}
	p.until = now.Add(p.wait)
}

// tellOnce logs an error that was not the last one too.
func (s *Sweeper) tellOnce(ctx context.Context, told string, err error) string {
	if err == nil || ctx.Err() != nil {
		return ""
	}
	if text := err.Error(); text != told {
		s.log().Error("the drop directory cannot be swept", "dir", s.Dir, "error", err)
		return text
	}
	return told
}

func (s *Sweeper) disk() Disk {
	if s.Disk == nil {
		return System{}
	}
	return s.Disk
}

func (s *Sweeper) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// tally is what became of the letters that a sweep has found.
type tally struct{ taken, waiting, damaged int }

// sweep goes through folders once. The error is the first of the directory; what becomes
// of a single letter is no error.
func (s *Sweeper) sweep(ctx context.Context, folders []string) (count tally, err error) {
	for _, folder := range folders {
		err = cmp.Or(err, s.sweepFolder(ctx, folder, &count))
	}
	if count.taken > 0 { // a removal that is forgotten makes a second copy
		err = cmp.Or(err, s.disk().SyncFolder(s.path(taken, "")))
	}
	return count, err
}

// atOnce is how many names a sweep takes of a folder, which are in memory then.
const atOnce = 100_000

// sweepFolder goes through what is in a folder now, in the order in which it was
// left.
func (s *Sweeper) sweepFolder(ctx context.Context, folder string, count *tally) error {
	names, first := s.disk().Names(s.path(folder, ""), atOnce)
	for _, name := range names {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		first = cmp.Or(first, s.one(ctx, folder, name, count))
	}
	return first
}

// one takes a file and finds a place for it.
func (s *Sweeper) one(ctx context.Context, folder, name string, count *tally) error {
	f, err := s.take(folder, name)
	var no *DamagedError
	switch {
	case errors.As(err, &no):
		count.damaged++
		return s.putAside(folder, name, no)
	case err != nil || f == nil:
		return err
	}
	defer f.Close()
	if sabotage.Is("a dropped letter is removed before it is taken") {
		_ = s.disk().Remove(s.path(taken, name))
	}
	err = s.submit(ctx, f, name, folder == taken)
	switch {
	case err == nil:
		count.taken++
		return s.disk().Remove(s.path(taken, name))
	case errors.As(err, &no), errors.Is(err, ErrUnwelcome):
		count.damaged++
		return s.putAside(taken, name, err)
	}
	count.waiting++
	if folder != waiting {
		s.log().Warn("a letter from the drop directory waits", "name", name, "error", err)
	}
	if folder == taken {
		return nil // it stays one of which there may be a copy
	}
	return s.move(taken, name, waiting, name)
}

// move gives a file another folder, durably. The new name is safe before the old one is
// gone, so that it is not lost; and the old one is gone when move returns, so that after a
// crash the file is not found where it was.
func (s *Sweeper) move(from, name, to, as string) error {
	if err := s.disk().Rename(s.path(from, name), s.path(to, as)); err != nil {
		return err
	}
	if sabotage.Is("the way of a dropped letter is not synced") {
		return nil
	}
	return cmp.Or(s.disk().SyncFolder(s.path(to, "")), s.disk().SyncFolder(s.path(from, "")))
}

// submit hands on what is in a file.
func (s *Sweeper) submit(ctx context.Context, f File, name string, again bool) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	l, err := readLetter(ctx, f, info.Size())
	if err != nil {
		return err
	}
	l.Name, l.Login, l.Left, l.Again = name, Login(ownerOf(info)), info.ModTime(), again
	if err := s.Submit(ctx, l); err != nil {
		return err
	}
	s.log().Info("a letter was taken from the drop directory", "name", name, "login", l.Login, "from", l.From.String(),
		"recipients", len(l.To), "size", l.Params.Size)
	if again {
		s.log().Warn("a second copy of a letter is possible: the program ended while it took it", "name", name)
	}
	return nil
}

// putAside keeps what cannot be handed on. The name is a new one: those of others
// are not written over.
func (s *Sweeper) putAside(folder, name string, why error) error {
	aside := time.Now().UTC().Format("20060102T150405.000000000Z") + "-" + clean(name)
	err := s.move(folder, name, unwelcome, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // whoever left it took it back
	}
	if err == nil {
		s.log().Error("a file of the drop directory was put aside", "file", s.path(unwelcome, aside), "why", why)
	}
	return err
}

// clean makes a name short, and one that a terminal can show.
func clean(name string) string {
	out := []byte(name[:min(len(name), 64)])
	for i, c := range out {
		if c <= ' ' || c >= 0x7f {
			out[i] = '_'
		}
	}
	return string(out)
}

func (s *Sweeper) path(folder, name string) string { return filepath.Join(s.Dir, folder, name) }

// tidy removes what was never finished. Errors are those that a sweep tells too.
func (s *Sweeper) tidy(now time.Time) {
	names, _ := s.disk().Names(s.path(tmp, ""), atOnce)
	for _, name := range names {
		if info, err := s.disk().Lstat(s.path(tmp, name)); err == nil && now.Sub(info.ModTime()) > staleAfter {
			_ = s.disk().Remove(s.path(tmp, name)) // a directory with something in it stays, and harms nobody
		}
	}
}
