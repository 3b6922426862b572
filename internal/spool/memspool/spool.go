package memspool

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Options of a Spool. The zero value is good.
type Options struct {
	// Random makes IDs; nil is crypto/rand. It is read by one goroutine at a time.
	Random io.Reader
	// Capacity in octets of content, drafts included, past which the spool is full; 0: no limit.
	Capacity int64
	// KeepFacts and FactBytes are what the journal keeps; 0 is 30 days and 64 MB.
	KeepFacts time.Duration
	FactBytes int64
}

// Spool is an engine in memory. Make one with New.
type Spool struct {
	opts Options

	mu     sync.Mutex // guards all below; held only while computing
	closed bool
	failed error
	book   *spool.Book
	lives  uint64
	disk   disk
	drafts int64 // octets in drafts
	nodes  map[string]*node
	pools  map[string]spool.Pool
	counts map[string]map[string]count // by room and key
	wakers []waker
}

var _ spool.Engine = (*Spool)(nil)

// New returns an empty spool.
func New(opts Options) *Spool {
	if opts.Random == nil {
		opts.Random = rand.Reader
	}
	if opts.KeepFacts == 0 {
		opts.KeepFacts = 30 * 24 * time.Hour
	}
	if opts.FactBytes == 0 {
		opts.FactBytes = 64 << 20
	}
	return &Spool{opts: opts, book: spool.NewBook(0), disk: newDisk(), nodes: map[string]*node{}, pools: map[string]spool.Pool{}, counts: map[string]map[string]count{}}
}

// Crash ends the spool as a power cut does and returns the one that opens what
// is left. Every later call to the old one fails with ErrClosed.
func (s *Spool) Crash() *Spool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	next := New(s.opts)
	next.disk, s.disk = s.disk, newDisk()
	next.lives = s.lives + 1
	for name, n := range s.nodes {
		next.nodes[name] = &node{owner: n.owner, since: n.since, beat: n.beat, draining: n.draining}
	}
	next.book = spool.NewBook(next.lives << 32)
	next.disk.crash()
	next.disk.suspectAll(time.Now())
	return next
}

// Fail makes the spool fail as if a write had failed with err: every later call
// returns an error that wraps spool.ErrFailed and err. Crash still opens what is left.
func (s *Spool) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = fmt.Errorf("%w: %w", spool.ErrFailed, err)
	}
}

// Spoil damages the content of a message, for tests of what follows.
func (s *Spool) Spoil(id mail.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.disk.messages[id]; m != nil {
		m.spoiled = true
	}
}

// SetCapacity changes Options.Capacity.
func (s *Spool) SetCapacity(octets int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Capacity = octets
}

// enter locks the spool for a call; the caller unlocks if there is no error.
func (s *Spool) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if err := s.usable(); err != nil {
		s.mu.Unlock()
		return err
	}
	return nil
}

func (s *Spool) usable() error {
	if s.closed {
		return spool.ErrClosed
	}
	return s.failed
}

// Close ends the spool. What it held is gone.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return spool.ErrClosed
	}
	s.closed = true
	s.disk = newDisk()
	return s.failed
}

// Stats implements [spool.Engine].
func (s *Spool) Stats(ctx context.Context) (spool.Stats, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Stats{}, err
	}
	defer s.mu.Unlock()
	st := s.disk.stats
	s.book.Lapse(time.Now())
	st.Leased = int64(s.book.Leased())
	st.Damaged = int64(len(s.disk.damaged))
	st.Facts, st.FactBytes = int64(len(s.disk.facts)), s.disk.factBytes
	st.States = int64(len(s.disk.states))
	st.Free = -1
	if s.opts.Capacity > 0 {
		st.Free = max(0, s.opts.Capacity-st.Bytes-s.drafts)
		st.Refusing = st.Free == 0
	}
	return st, nil
}

// Destinations implements [spool.Engine].
func (s *Spool) Destinations(ctx context.Context, after string, limit int) ([]spool.Destination, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var list []spool.Destination
	for _, name := range s.disk.sortedDestinations() {
		if name > after && len(list) < spool.Limit(limit) {
			list = append(list, s.describe(name))
		}
	}
	return list, nil
}

func (s *Spool) describe(name string) spool.Destination {
	at := s.disk.waiting[name]
	d := spool.Destination{Name: name, Recipients: int64(at.held + len(at.due.keys))}
	for _, k := range at.due.keys {
		if s.book.Owner(k.ref) == (spool.Owner{}) {
			d.Earliest = k.due
			break
		}
	}
	return d
}

// Damaged implements [spool.Engine].
func (s *Spool) Damaged(ctx context.Context, after mail.ID, limit int) ([]spool.Damage, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var list []spool.Damage
	for _, d := range s.disk.damaged {
		if slices.Compare(d.ID[:], after[:]) > 0 {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b spool.Damage) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return list[:min(len(list), spool.Limit(limit))], nil
}
