package pebblespool

import (
	"context"
	"encoding/binary"
	"io"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// What is counted. The places are counted at their own numbers.
const (
	countMessages = iota
	countFresh    // spool.Fresh
	countWaiting  // spool.Waiting
	countHeld     // spool.Held
	countBytes
	countFacts
	countFactBytes
	countStates
	countDamaged
	countKinds
)

// counts are changes to what is counted.
type counts [countKinds]int64

func (c *counts) append(b []byte) []byte {
	for _, n := range c {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// add adds what append wrote.
func (c *counts) add(b []byte) {
	for i := range c {
		n, size := binary.Varint(b)
		if size <= 0 {
			return
		}
		c[i] += n
		b = b[size:]
	}
}

// countMerger adds counts, so that a batch tells only what it changes and two
// batches at once need not wait for each other.
func countMerger() *pebble.Merger {
	return &pebble.Merger{
		Name: "posthouse.counts",
		Merge: func(_, value []byte) (pebble.ValueMerger, error) {
			m := new(counts)
			m.add(value)
			return m, nil
		},
	}
}

// MergeNewer, MergeOlder and Finish are Pebble's ValueMerger.
func (c *counts) MergeNewer(value []byte) error { c.add(value); return nil }
func (c *counts) MergeOlder(value []byte) error { c.add(value); return nil }
func (c *counts) Finish(bool) ([]byte, io.Closer, error) {
	return c.append(nil), nil, nil
}

// stats are the counts as they are now.
type stats [countKinds]atomic.Int64

func (s *stats) load(db *pebble.DB) error {
	b, err := get(db, counters)
	var c counts
	c.add(b)
	s.apply(&c)
	return err
}

func (s *stats) apply(c *counts) {
	for i, n := range c {
		if n != 0 {
			s[i].Add(n)
		}
	}
}

// Stats implements [spool.Engine].
func (s *Spool) Stats(ctx context.Context) (spool.Stats, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Stats{}, err
	}
	defer s.leave()
	if err := s.lapse(); err != nil {
		return spool.Stats{}, err
	}
	s.mu.Lock()
	leased := s.book.Leased()
	s.mu.Unlock()
	free, refusing := s.room.state()
	return spool.Stats{
		Messages: s.stats[countMessages].Load(), Bytes: s.stats[countBytes].Load(),
		Fresh: s.stats[countFresh].Load(), Waiting: s.stats[countWaiting].Load(), Held: s.stats[countHeld].Load(),
		Leased: int64(leased), Damaged: s.stats[countDamaged].Load(),
		Facts: s.stats[countFacts].Load(), FactBytes: s.stats[countFactBytes].Load(), States: s.stats[countStates].Load(),
		Free: free, Refusing: refusing, Disk: s.room.size.Load(), Floor: max(0, s.opts.MinFree),
	}, nil
}

// Destinations implements [spool.Engine].
func (s *Spool) Destinations(ctx context.Context, after string, limit int) ([]spool.Destination, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	from := append(nameKey(kPlace, after), 0) // past the name itself
	if after == "" {
		from = []byte{kPlace}
	}
	var list []spool.Destination
	err := s.scan(s.db, from, []byte{kPlace + 1}, func(key, value []byte) bool {
		name, _ := cutName(key[1:])
		p := readPlace(value)
		list = append(list, spool.Destination{Name: name, Recipients: p.count, Earliest: p.start})
		return len(list) < spool.Limit(limit)
	})
	return list, err
}

// Damaged implements [spool.Engine].
func (s *Spool) Damaged(ctx context.Context, after mail.ID, limit int) ([]spool.Damage, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var list []spool.Damage
	err := s.scan(s.db, append(idKey(kDamage, after), 0), []byte{kDamage + 1}, func(key, value []byte) bool {
		if len(value) >= 8 {
			list = append(list, spool.Damage{ID: idOf(key), At: timeOf(value), What: string(value[8:])})
		}
		return len(list) < spool.Limit(limit)
	})
	return list, err
}

// scan calls f for the records from one key to before another, until it is
// false. Key and value are good only during the call.
func (s *Spool) scan(r pebble.Reader, from, to []byte, f func(key, value []byte) bool) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			_ = it.Close() // the first error is the one to tell
			return err
		}
		if !f(it.Key(), value) {
			break
		}
	}
	return it.Close()
}

// damage puts a message in quarantine: it leaves every index and count, and
// what is left of it stays on the disk for people to look at.
func (s *Spool) damage(id mail.ID, what string) {
	s.opts.Log.Error("message is damaged", "id", id, "what", what)
	s.index <- struct{}{}
	defer func() { <-s.index }()
	if s.quarantined(id) {
		return
	}
	t := s.newTx()
	defer t.close()
	t.quarantine(id)
	t.set(idKey(kDamage, id), append(appendTime(nil, time.Now()), what...))
	if t.apply() == nil {
		s.soon()
	}
	s.mu.Lock()
	s.broken[id] = true
	s.mu.Unlock()
}

func (s *Spool) quarantined(id mail.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken[id]
}

// loadDamage reads which messages are in quarantine; they are few.
func (s *Spool) loadDamage() error {
	return s.scan(s.db, []byte{kDamage}, []byte{kDamage + 1}, func(key, _ []byte) bool {
		s.broken[idOf(key)] = true
		return true
	})
}
