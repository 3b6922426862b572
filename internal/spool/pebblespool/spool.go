package pebblespool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// version of what is on the disk. A spool of a newer one is refused.
const version = 1

// Spool is an engine on a disk. Make one with Open.
type Spool struct {
	opts       Options
	fs         *latch
	dir        string
	db         *pebble.DB
	generation uint64 // of this life
	unclean    ending // the last life that was not closed
	readOnly   bool

	calls   sync.RWMutex // read-held by each call, so that Close waits for them; see enter
	closed  atomic.Bool
	stop    chan struct{} // closed by Close
	workers sync.WaitGroup

	// index is held, by sending, by whoever reads and writes the index: waiting
	// recipients, standings, progress, states. A channel and not a mutex, since it
	// is held across reads of the disk (the sleep of a mutex would hang a synctest bubble).
	index chan struct{}

	mu      sync.Mutex // guards what follows; held only while computing
	book    *spool.Book
	pending map[mail.ID]bool     // applied but not yet durable, so not to be shown
	born    map[mail.ID]head     // committed with a lease, and not changed since
	broken  map[mail.ID]bool     // in quarantine
	moved   map[spool.Ref]string // leased, and the start of its destination, the value, is after it
	movedOf map[string]int       // how many of moved, by destination
	flights flights
	lastSeq uint64          // of the journal
	version uint64          // of states
	unread  map[uint64]bool // places of the journal that are applied after ones that follow them
	unlinks []uint64        // body files to be removed once the batch that says so is durable

	stats   stats
	lazy    chan struct{} // told when there is something that no sync carries yet
	drafts  drafts
	syncs   syncs
	txs     sync.Pool // of *tx
	files   files
	room    room
	stamped atomic.Int64 // lease stamp on the disk
}

// ending is an end that was not clean.
type ending struct {
	generation uint64    // of the life that ended so; 0: none ever did
	at         time.Time // nothing was leased later
}

var _ spool.Engine = (*Spool)(nil)

// Open opens the spool in a directory, which is made if it is not there. A
// second Open of the same directory fails while the first one lasts, in any process.
func Open(dir string, opts Options) (*Spool, error) {
	s, err := open(dir, opts, false)
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	return s, nil
}

func open(dir string, opts Options, readOnly bool) (*Spool, error) {
	opts = opts.withDefaults()
	s := &Spool{
		opts: opts, fs: newLatch(opts.FS), dir: dir, readOnly: readOnly,
		stop: make(chan struct{}), index: make(chan struct{}, 1), lazy: make(chan struct{}, 1), syncs: newSyncs(),
		pending: map[mail.ID]bool{}, born: map[mail.ID]head{}, broken: map[mail.ID]bool{}, moved: map[spool.Ref]string{}, movedOf: map[string]int{}, unread: map[uint64]bool{},
	}
	if err := s.openDisk(); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	if !readOnly {
		s.workers.Go(s.flusher)
		s.workers.Go(s.janitor)
	}
	return s, nil
}

func (s *Spool) openDisk() (err error) {
	if !s.readOnly {
		if err := errors.Join(s.makeDirs(), s.makeStore(), s.fs.broken()); err != nil {
			return err
		}
	}
	o := s.pebbleOptions()
	o.ErrorIfNotExists = true // one that has lost its manifest is not to be taken for a new one
	s.db, err = pebble.Open(s.storeDir(), o)
	if broken := s.fs.broken(); broken != nil && err == nil {
		return errors.Join(broken, s.db.Close())
	}
	return err
}

func (s *Spool) storeDir() string { return s.fs.PathJoin(s.dir, "pebble") }

// makeStore makes the store if there is none: beside its place, so that a crash
// does not leave half of one there.
func (s *Spool) makeStore() error {
	if _, err := s.fs.Stat(s.storeDir()); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	making := s.storeDir() + ".new"
	if err := s.fs.RemoveAll(making); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := pebble.Open(making, s.pebbleOptions())
	if err != nil {
		return err
	}
	if err := errors.Join(db.Close(), s.fs.syncDir(making), s.fs.Rename(making, s.storeDir())); err != nil {
		return err
	}
	return s.fs.syncDir(s.dir)
}

func (s *Spool) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          s.fs,
		ReadOnly:                    s.readOnly,
		Logger:                      logger{s},
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                s.opts.MemTable,
		MemTableStopWritesThreshold: 4,
		CacheSize:                   s.opts.Cache,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		WALBytesPerSync:             0,
		BytesPerSync:                512 << 10,
		CompactionConcurrencyRange:  func() (int, int) { return 1, max(1, min(3, runtime.GOMAXPROCS(0)-1)) },
		EventListener:               &pebble.EventListener{DataCorruption: s.corrupt},
		Merger:                      countMerger(),
	}
	o.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: 1024, MaxBlobReferenceDepth: 10,
			RewriteMinimumAge: time.Minute, TargetGarbageRatio: 0.3,
		}
	}
	// A table for each kind of keys: those of most kinds begin with a time, so that new
	// tables lie behind the old ones, and compactions find nothing to merge.
	o.Experimental.SpanPolicyFunc = func(start []byte) (pebble.SpanPolicy, []byte, error) {
		return pebble.SpanPolicy{}, []byte{start[0] + 1}, nil
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// begin reads what the last life left, and starts a new one.
func (s *Spool) begin() error {
	v, err := s.metaNumber(metaVersion)
	switch {
	case err != nil:
		return err
	case v > version:
		return fmt.Errorf("it has version %d, and this program knows only up to %d: use a newer one", v, version)
	}
	if s.generation, err = s.metaNumber(metaGeneration); err != nil {
		return err
	}
	if err := s.readUnclean(); err != nil {
		return err
	}
	s.generation++
	s.book = spool.NewBook(s.generation << 32)
	s.version = s.generation << 32
	if err := errors.Join(s.stats.load(s.db), s.loadDamage()); err != nil {
		return err
	}
	if s.readOnly {
		s.files.first = math.MaxUint64
		return nil
	}
	if err := s.writeGeneration(); err != nil {
		return err
	}
	if err := s.recover(); err != nil {
		return err
	}
	return s.fs.broken()
}

// readUnclean finds out whether the last life was closed.
func (s *Spool) readUnclean() error {
	if b, err := s.get(metaUnclean); err != nil {
		return err
	} else if len(b) == 16 {
		s.unclean = ending{binary.BigEndian.Uint64(b), timeOf(b[8:])}
	}
	clean, err := s.metaNumber(metaClean)
	if err != nil || s.generation == 0 || clean == s.generation {
		return err
	}
	stamp, err := s.metaNumber(metaStamp)
	at := time.Unix(0, int64(stamp)).Add(stampEvery) // what was leased until then was not stamped
	if now := time.Now(); at.After(now) {
		at = now
	}
	s.unclean = ending{s.generation, at}
	return err
}

func (s *Spool) writeGeneration() error {
	b := s.db.NewBatch()
	defer b.Close()
	put := func(key, value []byte) { _ = b.Set(key, value, nil) } // a batch in memory does not fail
	put(metaVersion, binary.BigEndian.AppendUint64(nil, version))
	put(metaGeneration, binary.BigEndian.AppendUint64(nil, s.generation))
	if s.unclean.generation > 0 {
		put(metaUnclean, appendTime(binary.BigEndian.AppendUint64(nil, s.unclean.generation), s.unclean.at))
	}
	return b.Commit(pebble.Sync)
}

// recover puts right what a crash may have left: destinations whose start was
// moved past leases that are gone, dues of a clock that was ahead, and files that belong to nobody.
func (s *Spool) recover() error {
	if err := s.restoreStarts(); err != nil {
		return err
	}
	if err := s.setDues(); err != nil {
		return err
	}
	if err := s.files.recover(s); err != nil {
		return err
	}
	return s.lastFact()
}

// Close implements [spool.Engine].
func (s *Spool) Close() error {
	s.calls.Lock()
	if s.closed.Swap(true) {
		s.calls.Unlock()
		return spool.ErrClosed
	}
	s.calls.Unlock()
	close(s.stop)
	s.workers.Wait()
	var clean error
	if !s.readOnly && s.fs.broken() == nil {
		clean = s.db.Set(metaClean, binary.BigEndian.AppendUint64(nil, s.generation), pebble.Sync)
		s.unlinkDurable()
		clean = errors.Join(clean, s.db.Flush()) // else the next Open would read the log instead
	}
	closing := s.db.Close()
	if broken := s.fs.broken(); broken != nil {
		return fmt.Errorf("%w: %w", spool.ErrFailed, broken)
	}
	return errors.Join(clean, closing)
}

// Failed is closed when a write or a sync has failed; Err then says how.
// Nothing is accepted or settled from then on: the process should drain and exit.
func (s *Spool) Failed() <-chan struct{} { return s.fs.failed }

// Err is the failure; nil if there was none.
func (s *Spool) Err() error {
	if err := s.fs.broken(); err != nil {
		return fmt.Errorf("%w: %w", spool.ErrFailed, err)
	}
	return nil
}

// enter begins a call; leave ends it. Between them the database is open.
func (s *Spool) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.calls.RLock()
	err := s.Err()
	if s.closed.Load() {
		err = spool.ErrClosed
	}
	if err != nil {
		s.calls.RUnlock()
	}
	return err
}

func (s *Spool) leave() { s.calls.RUnlock() }

// kept turns the end of a durable call into its error. Pebble says that all went
// well even if the latch kept a write from the disk, so the latch has the last word.
func (s *Spool) kept(err error) error {
	if sabotage.Is("a failed write is taken for done") {
		return nil
	}
	if broken := s.fs.broken(); broken != nil {
		return fmt.Errorf("%w: %w: %w", spool.ErrFailed, spool.ErrInDoubt, broken)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", spool.ErrInDoubt, err)
	}
	return nil
}

// get reads a value whole; nil if there is none.
func (s *Spool) get(key []byte) ([]byte, error) { return get(s.db, key) }

func get(r pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte{}, value...), nil
}

func (s *Spool) metaNumber(key []byte) (uint64, error) {
	b, err := s.get(key)
	if err != nil || len(b) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(b), nil
}

// logger is what Pebble tells.
type logger struct{ s *Spool }

// Infof is silent: Pebble tells of every file.
func (logger) Infof(string, ...any) {}

// Errorf tells of trouble that Pebble goes on with.
func (l logger) Errorf(format string, args ...any) {
	l.s.opts.Log.Error("pebble", "error", fmt.Sprintf(format, args...))
}

// Fatalf must not return. It fails the spool as a failed write does, and ends
// the goroutine, so that the house can drain.
func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.s.opts.Log.Error("pebble cannot go on", "error", err)
	l.s.fs.fail(err)
	runtime.Goexit()
}

// corrupt is told of a table that cannot be read. It fails the spool and returns:
// who wanted to read gets an error, and lets go of what it holds. (Pebble's own answer is Fatalf.)
func (s *Spool) corrupt(info pebble.DataCorruptionInfo) {
	if s.fs.broken() != nil {
		return // a table that was written to nowhere
	}
	s.opts.Log.Error("pebble cannot read a table", "path", info.Path, "error", info.Details)
	s.fs.fail(fmt.Errorf("%s: %w", info.Path, info.Details))
}
