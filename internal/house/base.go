package house

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// Base is a model of the database that the nodes of a cluster keep their mail in: one
// spool, a [line] to it from each life of each node, and what happens to lines and
// databases. It also holds the nodes to what a lease is: who leases what
// another has, whose epoch lasts, is complained of; so is an epoch that ends
// though nothing has happened to its node.
//
// What the base does the account hears at once, in the order in which it is done; what a
// node tells of it comes later, or not at all.
type Base struct {
	world *World
	name  string // of the cluster
	// storm: calls are slow, and lines break.
	storm atomic.Bool

	mu    sync.Mutex // held while something is done, and never while somebody waits
	spool *memspool.Spool
	shown atomic.Pointer[memspool.Spool] // the same, for who looks at it from above
	down  time.Time                      // nobody is answered before
	seats []*seat
	held  map[spool.Ref]spool.Owner // leases
	fell  time.Time                 // when the last primary fell whose leases are forgotten

	calls  int // so far
	stopAt int // the call that a node dies of; 0: none
	done   bool
	told   func() // that it has come
}

// NewBase makes an empty base for a cluster.
func (w *World) NewBase(name string) *Base {
	b := &Base{world: w, name: name, held: map[spool.Ref]spool.Owner{}}
	b.put(memspool.New(memspool.Options{Random: w.random("ids of " + name)}))
	return b
}

// put has the base be another spool. b.mu is held, if anybody has a line.
func (b *Base) put(s *memspool.Spool) {
	b.spool = s
	b.shown.Store(s)
}

// seat is a node's place at a base, over all of its lives. It is a [Store].
type seat struct {
	base *Base
	node string

	mu     sync.Mutex // guards the next two
	asleep time.Time  // the node does nothing before
	cut    time.Time  // its lines lead nowhere before

	// Guarded by base.mu.
	line   *line
	lives  int
	owner  spool.Owner
	since  time.Time
	until  time.Time
	struck time.Time // something happened to the node, or its line, the last time
}

// Seat makes a place for a node.
func (b *Base) Seat(node string) Store {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &seat{base: b, node: node}
	b.seats = append(b.seats, s)
	return s
}

// Open implements [Store].
func (s *seat) Open() (spool.Engine, error) {
	s.base.mu.Lock()
	defer s.base.mu.Unlock()
	s.lives++
	s.struck = time.Now()
	s.line = &line{seat: s, base: s.base, life: s.lives, gone: make(chan struct{})}
	return s.line, nil
}

// Crash implements [Store]: the node is gone, and the base stays as it is.
func (s *seat) Crash() {
	s.base.mu.Lock()
	defer s.base.mu.Unlock()
	s.struck = time.Now()
	s.line.hangUp()
}

// strike notes that something happens to the node.
func (s *seat) strike() {
	s.base.mu.Lock()
	defer s.base.mu.Unlock()
	s.struck = time.Now()
}

// Sleep has the node do nothing for a time, as if its machine did something else: what it
// asks of the base, and its deliveries, go on after that.
func (s *seat) Sleep(long time.Duration) { s.trouble(&s.asleep, long) }

// Cut leads the lines of the node nowhere for a time.
func (s *seat) Cut(long time.Duration) { s.trouble(&s.cut, long) }

func (s *seat) trouble(which *time.Time, long time.Duration) {
	s.strike()
	s.mu.Lock()
	*which = time.Now().Add(long)
	s.mu.Unlock()
	time.Sleep(long)
	s.strike()
}

// awake waits for as long as the node sleeps.
func (s *seat) awake(ctx context.Context) {
	for {
		s.mu.Lock()
		long := time.Until(s.asleep)
		s.mu.Unlock()
		if long <= 0 || rest(ctx, long) != nil {
			return
		}
	}
}

func (s *seat) reaches() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !time.Now().Before(s.cut)
}

// Fail has the primary fail: nobody is answered before another has taken its place. If
// it forgets, that one knows nothing of leases, nor of what was lazy.
func (b *Base) Fail(long time.Duration, forgets bool) {
	now := time.Now()
	b.mu.Lock()
	b.down = now.Add(long)
	b.strikeAll(now)
	if forgets {
		b.fell = now
		for ref := range b.held {
			b.world.Account.excuse(b.name, ref)
		}
		clear(b.held)
		b.put(b.spool.Crash())
		b.world.Account.crashed(b.seats[0].house(), now)
	}
	b.mu.Unlock()
	time.Sleep(long)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.strikeAll(time.Now())
}

func (b *Base) strikeAll(now time.Time) {
	for _, s := range b.seats {
		s.struck = now
	}
}

// now is the spool as it is, for who looks at it from above.
func (b *Base) now() spool.Engine { return b.shown.Load() }

// StopBefore has a node die of a call from now on, before it is done or after; of call 0
// nobody dies.
func (b *Base) StopBefore(call int, done bool, told func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopAt, b.done, b.told = b.calls+call, done, told
}

// Calls are how many there were.
func (b *Base) Calls() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

// dies counts a call that changes something, and reports whether its node dies of it. b.mu
// is held.
func (b *Base) dies(what string) bool {
	if what == "draining" || what == "beat" || what == "count" {
		return false
	}
	b.calls++
	return b.calls == b.stopAt
}

// joined takes an epoch that begins. b.mu is held.
func (b *Base) joined(s *seat, owner spool.Owner, ttl time.Duration) {
	now := time.Now()
	if now.Before(s.until) && !s.lately(now) {
		b.world.Account.wrong("%s begins another epoch, and nothing has happened to it", s.node)
	}
	s.owner, s.since, s.until = owner, now, now.Add(ttl)
}

// lately: something happened to the node a moment ago, which led to what it does.
func (s *seat) lately(now time.Time) bool { return now.Sub(s.struck) <= 5*time.Second }

// renewed takes that an epoch goes on. b.mu is held.
func (s *seat) renewed(ttl time.Duration) { s.until = time.Now().Add(ttl) }

// lapsed takes that a node was told that its epoch is over. b.mu is held.
func (b *Base) lapsed(s *seat) {
	now := time.Now()
	missed := !now.Before(s.until) && !s.struck.Before(s.until.Add(-ttl))
	if !missed && b.fell.Before(s.since) && !s.lately(now) {
		b.world.Account.wrong("the epoch of %s is over, and nothing has happened to it", s.node)
	}
	s.struck = now
}

// leased takes what a node has leased. b.mu is held.
func (b *Base) leased(s *seat, owner spool.Owner, leases ...*spool.Lease) {
	for _, l := range leases {
		if l == nil {
			continue
		}
		for i := range l.Recipients {
			b.lease(s, owner, spool.Ref{ID: l.Envelope.ID, Recipient: l.Recipients[i].Recipient})
		}
	}
}

func (b *Base) lease(s *seat, owner spool.Owner, ref spool.Ref) {
	was, had := b.held[ref]
	b.held[ref] = owner
	if !had {
		return
	}
	i := slices.IndexFunc(b.seats, func(s *seat) bool { return s.node == was.Name })
	if has := b.seats[i]; has.owner == was && time.Now().Before(has.until) {
		b.world.Account.wrong("%s has leased %s, recipient %d, which %s has", s.node, ref.ID, ref.Recipient, was.Name)
	}
	b.world.Account.excuse(b.name, ref) // the one before may have sent it
}

// free takes that leases have ended as they should. b.mu is held.
func (b *Base) free(owner spool.Owner, refs ...spool.Ref) {
	for _, ref := range refs {
		if b.held[ref] == owner {
			delete(b.held, ref)
		}
	}
}

// settled takes what the base did with a settlement. b.mu is held.
func (b *Base) settled(h *seat, owner spool.Owner, s *spool.Settlement, done *spool.Settled) {
	for i := range s.Results {
		r := s.Results[i].Recipient
		kept := slices.Contains(done.Aside, r) ||
			slices.ContainsFunc(done.Altered, func(st spool.Standing) bool { return st.Recipient == r && st.Fate != mail.Removed })
		if !kept {
			b.free(owner, spool.Ref{ID: s.ID, Recipient: r})
		}
	}
	b.hear(s.ID, s.Facts)
	for i := range done.Reports {
		if done.Reports[i].Committed {
			b.hear(s.Reports[i].Draft.ID(), s.Reports[i].Commit.Facts)
			b.leased(h, owner, done.Reports[i].Lease)
		}
	}
}

// hear tells the account what the journal was told. b.mu is held.
func (b *Base) hear(id mail.ID, facts []spool.Fact) {
	for i := range facts {
		e, err := event.Parse(facts[i].Data)
		if err != nil {
			b.world.Account.wrong("the journal of %s has what is no event: %v", b.name, err)
			continue
		}
		b.world.Account.hear(b.seats[0].house(), event.Entry{ID: id, At: facts[i].At, Event: e})
	}
}

// house is the first one that sits here: any of a cluster will do.
func (s *seat) house() *House { return s.base.world.clusters[s.base.name] }

// holds holds that a node which begins a delivery has a lease on what it carries.
func (b *Base) holds(s *seat, id mail.ID, recipients []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Sub(b.fell) < time.Minute {
		return // it cannot know
	}
	for _, r := range recipients {
		if who := b.held[spool.Ref{ID: id, Recipient: r}]; who != s.owner || !now.Before(s.until) {
			b.world.Account.wrong("%s begins to deliver %s, recipient %d: %v holds it, and %v lasts until %v", s.node, id, r, who, s.owner, s.until.UTC().Format("15:04:05.000000000"))
		}
	}
}

// draw is a number that hangs on what is asked and nothing else.
func (l *line) draw(what string, about any) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, l.base.world.Seed, l.seat.node, l.life, what, about, time.Now().UnixNano()) // a hash takes everything
	return h.Sum64()
}
