package shelf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/posthouse/posthouse/internal/spool"
)

// Rooms of the states.
const (
	Room  = "acme"      // what is kept, by its key
	Locks = "acme-lock" // who does something alone, by its name
)

// maxTries is how often something is written anew that others write too.
const maxTries = 50

// Options set up a [Shelf].
type Options struct {
	States spool.States // needed
	// Key returns the secret that things are sealed with: the same on all nodes. nil: they
	// are kept as they are.
	Key func() ([]byte, error)

	// Stale is how long a lock may stay unchanged before its holder is held for dead; 0: a
	// minute. It must be the same on all nodes.
	Stale time.Duration
}

// Shelf keeps values by keys such as "a/b/c". Make one with [New]. It may be used by many
// goroutines. A key has at most [spool.MaxName] octets, and a value 63 KiB; more is
// [spool.ErrLimit].
type Shelf struct {
	opts Options

	mu    sync.Mutex
	holds map[string]*hold // locks of ours, by name
}

var _ certmagic.Storage = (*Shelf)(nil)

// New makes a shelf. It keeps nothing of its own but locks.
func New(o Options) *Shelf {
	if o.Stale <= 0 {
		o.Stale = time.Minute
	}
	return &Shelf{opts: o, holds: map[string]*hold{}}
}

// checkKey refuses what is no path from the top, and what no state can be named.
func checkKey(key string) error {
	if key == "" || len(key) > spool.MaxName || key == "." || path.Clean("/"+key) != "/"+key {
		return fmt.Errorf("%.40q is no name of what is kept: %w", key, spool.ErrLimit)
	}
	return nil
}

// Store implements [certmagic.Storage].
func (s *Shelf) Store(ctx context.Context, key string, value []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	text, err := s.pack(key, value, time.Now())
	if err != nil {
		return err
	}
	return s.put(ctx, key, text)
}

// put writes a state, or with nil removes it, whatever stands there.
func (s *Shelf) put(ctx context.Context, key string, text []byte) error {
	err := spool.ErrConflict
	for n := 0; errors.Is(err, spool.ErrConflict) && n < maxTries; n++ {
		var was spool.State
		was, err = s.opts.States.State(ctx, Room, key)
		gone := errors.Is(err, spool.ErrNotFound)
		switch {
		case err != nil && !gone:
			return err
		case gone && text == nil:
			return nil
		}
		_, err = s.opts.States.PutState(ctx, spool.State{Room: Room, Key: key, Value: text}, was.Version)
	}
	return err
}

// Load implements [certmagic.Storage].
func (s *Shelf) Load(ctx context.Context, key string) ([]byte, error) {
	value, _, err := s.load(ctx, key)
	return value, err
}

func (s *Shelf) load(ctx context.Context, key string) ([]byte, time.Time, error) {
	if checkKey(key) != nil {
		return nil, time.Time{}, absent("load", key)
	}
	st, err := s.opts.States.State(ctx, Room, key)
	switch {
	case errors.Is(err, spool.ErrNotFound):
		return nil, time.Time{}, absent("load", key)
	case err != nil:
		return nil, time.Time{}, err
	}
	return s.unpack(key, st.Value)
}

func absent(what, key string) error {
	return &fs.PathError{Op: what, Path: key, Err: fs.ErrNotExist}
}

// Delete implements [certmagic.Storage].
func (s *Shelf) Delete(ctx context.Context, key string) error {
	if checkKey(key) != nil {
		return nil // there is no such thing
	}
	below, err := s.below(ctx, key)
	if err != nil {
		return err
	}
	for _, one := range append(below, key) {
		if err := s.put(ctx, one, nil); err != nil {
			return err
		}
	}
	return nil
}

// Exists implements [certmagic.Storage]. What cannot be looked at exists, so that nobody
// orders a certificate anew because a database is away.
func (s *Shelf) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return !errors.Is(err, fs.ErrNotExist)
}

// Stat implements [certmagic.Storage].
func (s *Shelf) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	value, at, err := s.load(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: at, Size: int64(len(value)), IsTerminal: true}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) || checkKey(key) != nil {
		return certmagic.KeyInfo{}, err
	}
	page, err2 := s.opts.States.States(ctx, Room, key+"/", 1)
	switch {
	case err2 != nil:
		return certmagic.KeyInfo{}, err2
	case len(page) == 0 || !strings.HasPrefix(page[0].Key, key+"/"):
		return certmagic.KeyInfo{}, err
	}
	return certmagic.KeyInfo{Key: key}, nil
}

// List implements [certmagic.Storage]: what is at a path, with the paths between if it is
// recursive, as a directory has them; and [fs.ErrNotExist] if nothing is.
func (s *Shelf) List(ctx context.Context, at string, recursive bool) ([]string, error) {
	if at != "" && checkKey(at) != nil {
		return nil, absent("list", at)
	}
	below, err := s.below(ctx, at)
	if err != nil {
		return nil, err
	}
	if len(below) == 0 && at != "" {
		return nil, absent("list", at)
	}
	var all []string
	told := map[string]bool{}
	for _, key := range below {
		for _, one := range between(at, key, recursive) {
			if !told[one] {
				told[one] = true
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// between are the paths from below a path to a key, or only the first of them.
func between(at, key string, all bool) (paths []string) {
	start := len(at)
	if at != "" {
		start++ // the slash
	}
	for i := start; i < len(key); i++ {
		if key[i] == '/' {
			if paths = append(paths, key[:i]); !all {
				return paths
			}
		}
	}
	return append(paths, key)
}

// below are the keys below a path; "" is the top.
func (s *Shelf) below(ctx context.Context, at string) (keys []string, err error) {
	prefix := ""
	if at != "" {
		prefix = at + "/"
	}
	for after := prefix; ; after = keys[len(keys)-1] {
		page, err := s.opts.States.States(ctx, Room, after, spool.MaxPage)
		if err != nil {
			return nil, err
		}
		for _, st := range page {
			if !strings.HasPrefix(st.Key, prefix) {
				return keys, nil
			}
			keys = append(keys, st.Key)
		}
		if len(page) < spool.MaxPage {
			return keys, nil
		}
	}
}
