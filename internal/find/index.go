package find

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Journal is what is asked of a [spool.Engine].
type Journal interface {
	Facts(ctx context.Context, query spool.FactQuery) (spool.FactPage, error)
}

// Options set up an [Index].
type Options struct {
	Dir     string        // where its files are; made if it is missing
	Journal Journal       // needed
	Every   time.Duration // how often the journal is looked at; 0: each second
	Log     *slog.Logger  // nil is silence
}

// Index finds messages in a journal. Make one with [Open]. Any number of goroutines may
// search, beside one that runs it.
type Index struct {
	opts Options
	most int // messages of a chapter

	mu      sync.RWMutex
	files   []*file // the oldest first; each goes on where the one before ends
	draft   *draft
	begun   time.Time
	caught  time.Time // when everything was read that there was; zero: not yet
	damaged *file     // that a search has found; nil: none

	parser  event.Parser // of who runs it
	trimmed time.Time    // when was looked what the journal has forgotten
	trouble string       // that was logged last
}

const (
	suffix = ".chapter"
	// trimEvery is how often is looked what the journal has forgotten.
	trimEvery = time.Minute
	// batch is how many facts are read into a draft at once, so that no search waits for
	// long.
	batch = 100
)

// Open opens the index in a directory. What cannot be used is removed, and made anew of
// the journal by [Index.Run].
func Open(o Options) (*Index, error) {
	o.Every = cmp.Or(o.Every, time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	x := &Index{opts: o, most: maxMessages, begun: time.Now()}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	if err := x.load(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return x, nil
}

// load takes the chapters that follow one another, and removes what else there is.
func (x *Index) load() error {
	entries, err := os.ReadDir(x.opts.Dir)
	if err != nil {
		return err
	}
	var useless []string
	for _, e := range entries {
		path := filepath.Join(x.opts.Dir, e.Name())
		switch c, err := openFile(path); {
		case !strings.HasSuffix(e.Name(), suffix) || errors.Is(err, errDamaged):
			useless = append(useless, path)
		case err != nil:
			return err
		default:
			x.files = append(x.files, c)
		}
	}
	slices.SortFunc(x.files, func(a, b *file) int { return cmp.Compare(a.after, b.after) })
	for i := 1; i < len(x.files); i++ {
		if x.files[i].after != x.files[i-1].last {
			for _, c := range x.files[i:] {
				useless = append(useless, c.path)
			}
			x.files = x.files[:i]
		}
	}
	x.begin(0)
	for _, path := range useless {
		x.opts.Log.Warn("a part of the index is made anew", "file", path)
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// begin begins a draft behind the last file, or at a place if there is none. Nobody
// else has the index, or the lock is held.
func (x *Index) begin(at uint64) {
	if n := len(x.files); n > 0 {
		at = x.files[n-1].last
	}
	terms := 0
	if x.draft != nil {
		terms = len(x.draft.terms) // as many as in the one before
	}
	x.draft = newDraft(at, x.most, terms)
}

// Run reads the journal along until ctx ends.
func (x *Index) Run(ctx context.Context) {
	tick := time.NewTicker(x.opts.Every)
	defer tick.Stop()
	for {
		err := x.CatchUp(ctx)
		if ctx.Err() != nil {
			return
		}
		x.tell(err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tell logs what is wrong, once.
func (x *Index) tell(err error) {
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	if trouble != x.trouble && err != nil {
		x.opts.Log.Error("the index does not come further: searches do not find what is new", "error", err)
	}
	x.trouble = trouble
}

// CatchUp reads what is new in the journal, all of it. One goroutine does so at a time.
func (x *Index) CatchUp(ctx context.Context) error {
	x.mend()
	if err := x.trim(ctx); err != nil {
		return err
	}
	for {
		if x.draft.full() {
			if err := x.finish(); err != nil {
				return err
			}
		}
		now := time.Now()
		page, err := x.opts.Journal.Facts(ctx, spool.FactQuery{After: x.draft.last})
		if err != nil {
			return err
		}
		if err := x.read(ctx, page.Facts); err != nil {
			return err
		}
		if !page.More {
			x.mu.Lock()
			x.caught = now
			x.mu.Unlock()
			return nil
		}
	}
}

// told is an event and its message.
type told struct {
	id    mail.ID
	event event.Event
}

// read puts facts into the draft, until it is full.
func (x *Index) read(ctx context.Context, facts []spool.Fact) error {
	for len(facts) > 0 && !x.draft.full() {
		n := min(len(facts), batch)
		events, err := x.tidings(ctx, facts[:n])
		if err != nil {
			return err
		}
		x.mu.Lock()
		for _, e := range events {
			x.draft.add(x.draft.enroll(e.id), e.event)
		}
		x.draft.last = facts[n-1].Seq
		x.mu.Unlock()
		facts = facts[n:]
	}
	return nil
}

// tidings are the events of facts, and before them what the journal told earlier of
// messages that the draft does not know.
func (x *Index) tidings(ctx context.Context, facts []spool.Fact) (all []told, err error) {
	known := map[mail.ID]bool{}
	for i := range facts {
		f := &facts[i]
		e, err := x.parser.Parse(f.Data)
		if err != nil || f.ID.IsZero() {
			continue // it was written by a later program, or is about no message
		}
		if !known[f.ID] && !x.draft.knows(f.ID) {
			known[f.ID] = true
			if _, first := e.(*event.Accepted); !first {
				if all, err = x.before(ctx, f.ID, all); err != nil {
					return nil, err
				}
			}
		}
		all = append(all, told{f.ID, e})
	}
	return all, nil
}

// before adds what the journal tells of a message, a page at the most.
func (x *Index) before(ctx context.Context, id mail.ID, all []told) ([]told, error) {
	page, err := x.opts.Journal.Facts(ctx, spool.FactQuery{ID: id})
	if err != nil {
		return nil, err
	}
	for i := range page.Facts {
		if e, err := x.parser.Parse(page.Facts[i].Data); err == nil {
			all = append(all, told{id, e})
		}
	}
	return all, nil
}

// finish makes a file of the draft, and begins another.
func (x *Index) finish() error {
	path := filepath.Join(x.opts.Dir, fmt.Sprintf("%016x%s", x.draft.after, suffix))
	if err := os.WriteFile(path+".new", x.draft.print(), 0o600); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	c, err := openFile(path) // what a crash may tear is not synced: it is only made anew
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.files = append(x.files, c)
	x.begin(0)
	return nil
}

// trim removes the chapters of which the journal has forgotten everything.
func (x *Index) trim(ctx context.Context) error {
	if time.Since(x.trimmed) < trimEvery || len(x.files) == 0 {
		return nil
	}
	page, err := x.opts.Journal.Facts(ctx, spool.FactQuery{Limit: 1})
	if err != nil {
		return err
	}
	x.trimmed = time.Now()
	var gone int
	for gone < len(x.files) && (len(page.Facts) == 0 || x.files[gone].last < page.Facts[0].Seq) {
		gone++
	}
	return x.remove(0, gone)
}

// mend removes a chapter that is damaged, and those behind it: what they told is read
// again.
func (x *Index) mend() {
	x.mu.Lock()
	c := x.damaged
	x.damaged = nil
	x.mu.Unlock()
	if i := slices.Index(x.files, c); c != nil && i >= 0 {
		x.opts.Log.Warn("a chapter of the index is damaged: it is made anew", "file", c.path)
		x.tell(x.remove(i, len(x.files)))
		x.mu.Lock()
		x.begin(c.after)
		x.caught = time.Time{}
		x.mu.Unlock()
	}
}

func (x *Index) remove(from, to int) error {
	x.mu.Lock()
	gone := slices.Clone(x.files[from:to])
	x.files = slices.Delete(slices.Clone(x.files), from, to)
	x.mu.Unlock()
	var err error
	for _, c := range gone {
		err = errors.Join(err, os.Remove(c.path))
	}
	return err
}

// Behind is how far the index is behind the journal.
func (x *Index) Behind() time.Duration {
	x.mu.RLock()
	defer x.mu.RUnlock()
	switch {
	case !x.caught.IsZero() && time.Since(x.caught) < 2*x.opts.Every+time.Second:
		return max(0, time.Since(x.caught))
	case x.draft.last == 0:
		return max(0, time.Since(x.begun))
	}
	return max(0, time.Since(time.Unix(0, int64(x.draft.last))))
}
