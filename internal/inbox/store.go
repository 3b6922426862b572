package inbox

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/letter"
)

// Errors of a Store.
var (
	ErrNotFound = errors.New("there is no such message")
	ErrClosed   = errors.New("the inbox is closed")
	ErrTooLarge = errors.New("the message is too large for the inbox")
	ErrInUse    = errors.New("another program uses the inbox")
)

// MaxMessage is the largest message that a store takes, in octets.
const MaxMessage = 64 << 20

// Options set up a [Store]. The zero value is a store in memory.
type Options struct {
	// Dir is where the messages are; it is made if it is missing. One store at a time
	// uses it: for another the error is [ErrInUse]. "": they are in memory.
	Dir string
	// States keep the messages instead, for several nodes that all show the same inboxes. Call
	// [Store.Join] when they can be read. nil: there is nobody else.
	States States
	Every  time.Duration // how often it is looked what other nodes do; 0: 300 ms
	Keep   Keep
	// Changed is called after each change, from many goroutines; it must be quick. nil is
	// silence.
	Changed func()
	Log     *slog.Logger // nil is silence
	Random  io.Reader    // makes IDs; nil is crypto/rand
}

// Keep says what is kept; what is beyond goes, the oldest first. Zero is the default, a
// negative value takes a bound away.
type Keep struct {
	Messages int           // of one inbox; default 10,000
	All      int           // of all inboxes; default 50,000
	Inboxes  int           // default 1,000; past it the one goes in which nothing came for longest
	Age      time.Duration // default 30 days
	Octets   int64         // of all messages; default 2 GiB
	// Boxes are inboxes of which more or less is kept: the first that names one counts.
	Boxes []KeepBox
}

// KeepBox says what is kept of some inboxes. Zero is what holds for all, a negative value takes a
// bound away.
type KeepBox struct {
	Name     string // see [Fold]; with "*" at its end all that begin so
	Messages int
	Age      time.Duration
}

// of is what is kept of an inbox.
func (k *Keep) of(name string) (messages int, age time.Duration) {
	messages, age = k.Messages, k.Age
	for i := range k.Boxes {
		b := &k.Boxes[i]
		if !b.names(name) {
			continue
		}
		if b.Messages != 0 {
			messages = b.Messages
		}
		if b.Age != 0 {
			age = b.Age
		}
		break
	}
	return messages, age
}

func (b *KeepBox) names(name string) bool {
	begin, some := strings.CutSuffix(b.Name, "*")
	return name == b.Name || some && strings.HasPrefix(name, begin)
}

func (k *Keep) setDefaults() {
	defaultTo(&k.Messages, 10_000)
	defaultTo(&k.All, 50_000)
	defaultTo(&k.Inboxes, 1000)
	defaultTo(&k.Age, 30*24*time.Hour)
	defaultTo(&k.Octets, 2<<30)
}

func defaultTo[N int | int64 | time.Duration](n *N, otherwise N) {
	if *n == 0 {
		*n = otherwise
	}
}

// Store is the inboxes. Make one with [Open]. It may be used by many goroutines.
type Store struct {
	opts  Options
	files files
	ids   numbering

	// reading bounds how many messages are read for people at a time.
	reading chan struct{}
	tidying sync.WaitGroup
	life    context.Context // until Close
	end     context.CancelFunc

	mu      sync.RWMutex // never held while a file is touched
	index   index
	changed chan struct{} // is closed at the next change
	closed  bool

	following bool // what other nodes do
}

// Open opens a store, and reads what it knows of its messages.
func Open(o Options) (*Store, error) {
	o.Keep.setDefaults()
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Every <= 0 {
		o.Every = 300 * time.Millisecond
	}
	s := &Store{opts: o, changed: make(chan struct{}), reading: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	s.index.init(&s.opts.Keep)
	s.ids.random = o.Random
	s.files = newMemory()
	if o.States != nil {
		s.files = &shared{states: o.States, log: o.Log}
	} else if o.Dir != "" {
		d, err := openDisk(o.Dir, o.Log)
		if err != nil {
			return nil, err
		}
		s.files = d
		if err = d.each(func(r *record) { s.index.load(newEntry(r)) }); err != nil {
			d.close()
			return nil, err
		}
		s.index.sort()
		s.ids.last = s.index.newest()
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.tidying.Go(func() { s.tidy(s.life) })
	return s, nil
}

// Close ends the store: whoever waits for a message gets [ErrClosed].
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.tell()
	s.end()
	s.tidying.Wait()
	s.files.close()
	return nil
}

// Put takes a message in. It is on stable storage when this returns no error. Errors are
// those of text, [ErrTooLarge], [ErrClosed], and those of the disk.
func (s *Store) Put(ctx context.Context, a Arrival, text io.Reader) (Message, error) {
	a.Inbox = Fold(a.Inbox)
	source, err := io.ReadAll(io.LimitReader(text, MaxMessage+1))
	if err != nil {
		return Message{}, err
	}
	if len(source) > MaxMessage {
		return Message{}, ErrTooLarge
	}
	r, err := s.describe(ctx, &a, source)
	if err != nil {
		return Message{}, err
	}
	if err := s.files.write(r, source); err != nil {
		return Message{}, err
	}
	gone, err := s.insert(r)
	s.remove(gone)
	if err != nil {
		s.files.remove(r.Message.Inbox, r.Message.ID)
		return Message{}, err
	}
	s.tell()
	return r.Message, nil
}

// describe reads a message for people. A few are read at a time.
func (s *Store) describe(ctx context.Context, a *Arrival, source []byte) (*record, error) {
	if err := s.readingBegins(ctx); err != nil {
		return nil, err
	}
	defer s.readingEnds()
	now := time.Now()
	id, err := s.ids.next(now)
	if err != nil {
		return nil, err
	}
	r := &record{Dialogue: bounded(a.Dialogue)}
	r.Message, r.Words = describe(a, letter.Parse(source))
	r.Message.ID, r.Message.Arrived = id, now
	return r, nil
}

func (s *Store) readingBegins(ctx context.Context) error {
	select {
	case s.reading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) readingEnds() { <-s.reading }

// insert puts a message into the index, and returns those that have to go.
func (s *Store) insert(r *record) (gone []*entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if s.index.find(r.Message.Inbox, r.Message.ID) == nil { // else it was heard of before
		s.index.add(newEntry(r))
	}
	return s.index.trim(time.Now()), nil
}

// remove removes the files of messages that are in the index no more.
func (s *Store) remove(gone []*entry) {
	for _, e := range gone {
		s.files.remove(e.message.Inbox, e.message.ID)
	}
}

// tell tells everybody who waits that something is not as it was.
func (s *Store) tell() {
	s.mu.Lock()
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	s.opts.Changed()
}

// Changed is closed at the next change of anything.
func (s *Store) Changed() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

// tidyEvery is how often messages are looked at that are too old, though none comes.
const tidyEvery = time.Minute

func (s *Store) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		gone := s.index.trim(time.Now())
		s.mu.Unlock()
		if s.remove(gone); len(gone) > 0 {
			s.tell()
		}
	}
}
