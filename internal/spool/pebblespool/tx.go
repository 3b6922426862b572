package pebblespool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// tx is one batch in the making, with what it has read and changed of the
// index. Whoever makes one that touches the index holds Spool.index until it is applied.
type tx struct {
	s        *Spool
	b        *pebble.Batch
	count    counts
	places   map[string]*place
	messages map[mail.ID]*message
	unlinks  []uint64
	seqs     []uint64 // of facts that are not to be read before the batch is applied
}

func (s *Spool) newTx() *tx { return &tx{s: s, b: s.db.NewBatch()} }

// A batch in memory does not fail.
func (t *tx) set(key, value []byte) { _ = t.b.Set(key, value, nil) }
func (t *tx) delete(key []byte)     { _ = t.b.Delete(key, nil) }

// deleteOnce deletes a record that was written once. It vanishes with it in the
// memtable, so that short-lived mail is written only to the log.
func (t *tx) deleteOnce(key []byte) { _ = t.b.SingleDelete(key, nil) }

// apply commits the batch lazily and makes it visible.
func (t *tx) apply() error { return t.applyWith(pebble.NoSync) }

func (t *tx) applyWith(o *pebble.WriteOptions) error {
	t.finish()
	if t.b.Empty() {
		return nil
	}
	err := t.s.kept(t.b.Commit(o))
	if err == nil {
		t.s.stats.apply(&t.count)
	}
	t.s.mu.Lock()
	t.s.unlinks = append(t.s.unlinks, t.unlinks...)
	t.s.mu.Unlock()
	return err
}

// close forgets the batch; its facts may be read from now on.
func (t *tx) close() {
	t.s.shown(t.seqs)
	_ = t.b.Close() // returns the memory; it has nothing to fail with
}

func (t *tx) finish() {
	for name, p := range t.places {
		p.write(t, name)
	}
	for id, m := range t.messages {
		m.write(t, id)
	}
	t.places, t.messages = nil, nil
	if t.count != (counts{}) {
		_ = t.b.Merge(counters, t.count.append(nil), nil)
	}
}

// place is a destination with waiting or held recipients.
type place struct {
	count     int64     // waiting and held
	start     time.Time // no later than the first due one that nobody leases; zero: there is none
	postponed time.Time

	visit time.Time // where it stands in the index of destinations; zero: nowhere
	found bool      // on the disk
	dirty bool
}

func readPlace(b []byte) *place {
	d := decoder{data: b}
	p := &place{count: d.int(), start: d.time(), postponed: d.time(), found: len(b) > 0}
	p.visit = p.next()
	return p
}

// next is when the destination is worth a visit.
func (p *place) next() time.Time {
	if !p.start.IsZero() && p.postponed.After(p.start) {
		return p.postponed
	}
	return p.start
}

func (p *place) write(t *tx, name string) {
	if !p.dirty {
		return
	}
	next := p.next()
	if p.count <= 0 {
		next = time.Time{}
	}
	if !p.visit.IsZero() && !p.visit.Equal(next) {
		t.delete(visitKey(p.visit, name))
	}
	if !next.IsZero() && !p.visit.Equal(next) {
		t.set(visitKey(next, name), nil)
	}
	if p.count <= 0 {
		t.delete(nameKey(kPlace, name))
		return
	}
	var e encoder
	e.int(p.count)
	e.time(p.start)
	e.time(p.postponed)
	t.set(nameKey(kPlace, name), e)
}

func (t *tx) place(name string) (*place, error) {
	if p := t.places[name]; p != nil {
		return p, nil
	}
	b, err := t.s.get(nameKey(kPlace, name))
	if err != nil {
		return nil, err
	}
	if t.places == nil {
		t.places = map[string]*place{}
	}
	t.places[name] = readPlace(b)
	return t.places[name], nil
}

// wake sees to it that the destination is visited no later than at due.
func (p *place) wake(due time.Time) {
	if p.start.IsZero() || due.Before(p.start) {
		p.start, p.dirty = due, true
	}
}

// dueOf is when a waiting recipient is due; one that is due at once stands at the first instant.
func dueOf(s *standing) time.Time {
	if s.Due.IsZero() {
		return instant(1)
	}
	return s.Due
}

// message is what settling needs to know of a message.
type message struct {
	head
	fresh  int  // recipients that were never settled
	open   int  // recipients that are not done
	flight bool // it has a first-flight record
	dirty  bool
	gone   bool

	pristine bool      // nobody was ever settled, so there are no standings to look for
	only     *standing // of the one recipient of a message that has one; nil: fresh
}

func (t *tx) message(id mail.ID) (*message, error) {
	if m := t.messages[id]; m != nil {
		return m, nil
	}
	if t.s.quarantined(id) {
		return nil, fmt.Errorf("message %s is in quarantine: %w", id, spool.ErrDamaged)
	}
	m, err := t.s.message(id)
	if err != nil {
		return nil, err
	}
	if t.messages == nil {
		t.messages = map[mail.ID]*message{}
	}
	t.messages[id] = m
	return m, nil
}

// message reads what settling needs to know. ErrNotFound; ErrDamaged.
func (s *Spool) message(id mail.ID) (*message, error) {
	b, err := s.get(idKey(kEnvelope, id))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("message %s: %w", id, spool.ErrNotFound)
	}
	h, err := readHead(b)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, spool.ErrDamaged)
	}
	m := &message{head: h, open: h.recipients}
	if h.recipients == 1 {
		return m, s.locate(id, m)
	}
	if m.flight, err = s.has(idKey(kFresh, id)); err != nil {
		return nil, err
	}
	if m.flight {
		m.fresh = h.recipients
	}
	err = readProgress(s.db, id, m)
	m.pristine = m.fresh == h.recipients
	return m, err
}

// locate finds out where the one recipient of a message is. It looks first where
// its lease was taken from, since what is not there costs more to look for than what is.
func (s *Spool) locate(id mail.ID, m *message) (err error) {
	ref := spool.Ref{ID: id}
	s.mu.Lock()
	_, waited := s.moved[ref]
	s.mu.Unlock()
	if waited {
		if m.only, err = s.standing(ref); err != nil || m.only != nil {
			return err
		}
	}
	if m.flight, err = s.has(idKey(kFresh, id)); err != nil {
		return err
	}
	if m.flight {
		m.fresh = 1
	} else if !waited {
		m.only, err = s.standing(ref)
	}
	return err
}

// old is where a recipient stood before this batch; nil: fresh.
func (t *tx) old(ref spool.Ref) (*standing, error) {
	m, err := t.message(ref.ID)
	switch {
	case err != nil:
		return nil, err
	case m.recipients == 1:
		return m.only, nil
	case m.pristine:
		return nil, nil
	}
	return t.s.standing(ref)
}

func readProgress(r pebble.Reader, id mail.ID, m *message) error {
	if m.recipients == 1 {
		return nil
	}
	b, err := get(r, idKey(kProgress, id))
	if err == nil && len(b) == 8 {
		m.fresh, m.open = int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:]))
	}
	return err
}

func (s *Spool) has(key []byte) (bool, error) {
	b, err := s.get(key)
	return b != nil, err
}

func (m *message) write(t *tx, id mail.ID) {
	if !m.dirty || m.gone {
		return
	}
	if m.flight && m.fresh == 0 {
		t.delete(idKey(kFresh, id))
	}
	if m.recipients > 1 {
		b := binary.BigEndian.AppendUint32(nil, uint32(m.fresh))
		t.set(idKey(kProgress, id), binary.BigEndian.AppendUint32(b, uint32(m.open)))
	}
}

// standing reads where a recipient stands on the disk; nil if it is fresh, or not there.
func (s *Spool) standing(ref spool.Ref) (*standing, error) {
	b, err := s.get(refKey(kStanding, ref))
	if b == nil || err != nil {
		return nil, err
	}
	st, err := readStanding(ref, b)
	if err != nil {
		return nil, fmt.Errorf("recipient %d of %s: %w: %w", ref.Recipient, ref.ID, spool.ErrDamaged, err)
	}
	return st, nil
}

// move takes a recipient from where it stood (nil: fresh) to where it stands now.
func (t *tx) move(ref spool.Ref, old, now *standing) error {
	m, err := t.message(ref.ID)
	if err != nil {
		return err
	}
	m.dirty = true
	if err := t.leave(ref, m, old); err != nil {
		return err
	}
	return t.arriveAt(ref, m, old, now)
}

func (t *tx) leave(ref spool.Ref, m *message, old *standing) error {
	if old == nil {
		m.fresh--
		t.count[spool.Fresh]--
		return nil
	}
	t.count[old.place()]--
	p, err := t.place(old.Destination)
	if err != nil {
		return err
	}
	p.count--
	p.dirty = true
	if old.place() == spool.Waiting {
		t.delete(dueKey(old.Destination, dueOf(old), ref))
	}
	return nil
}

func (t *tx) arriveAt(ref spool.Ref, m *message, old, now *standing) error {
	where := now.place()
	if where == 0 {
		if m.open--; m.open == 0 {
			return t.remove(ref.ID, m, old != nil)
		}
	} else if err := t.enter(ref, now); err != nil {
		return err
	}
	now.generation = t.s.generation
	t.set(refKey(kStanding, ref), seal(now.append(nil), ref.ID[:]))
	return nil
}

// enter puts a recipient that waits or is held under its destination.
func (t *tx) enter(ref spool.Ref, now *standing) error {
	where := now.place()
	t.count[where]++
	p, err := t.place(now.Destination)
	if err != nil {
		return err
	}
	p.count++
	p.dirty = true
	if where == spool.Waiting {
		t.set(dueKey(now.Destination, dueOf(now), ref), nil)
		p.wake(dueOf(now))
	}
	return nil
}

// remove takes a message off the disk whose recipients are all done.
func (t *tx) remove(id mail.ID, m *message, recorded bool) error {
	m.gone = true
	t.deleteOnce(idKey(kEnvelope, id))
	t.deleteOnce(idKey(kBody, id))
	if m.flight {
		t.delete(idKey(kFresh, id))
	}
	if m.recipients > 1 {
		t.delete(idKey(kProgress, id))
	}
	if m.recipients > 1 || recorded {
		for i := range m.recipients {
			t.delete(refKey(kStanding, spool.Ref{ID: id, Recipient: i}))
		}
	}
	if m.file != 0 { // the file may go when this batch is durable
		t.set(numberKey(kIntent, m.file), nil)
		t.unlinks = append(t.unlinks, m.file)
	}
	t.count[countMessages]--
	t.count[countBytes] -= m.size
	return nil
}

// quarantine takes a message out of every index but leaves its records.
// What is too damaged to be read is left out as far as it can be found.
func (t *tx) quarantine(id mail.ID) {
	t.count[countDamaged]++
	m, err := t.message(id)
	if err != nil {
		t.delete(idKey(kFresh, id))
		return
	}
	m.gone = true
	t.delete(idKey(kFresh, id))
	t.count[countMessages]--
	t.count[countBytes] -= m.size
	t.count[spool.Fresh] -= int64(m.fresh)
	for i := range m.recipients {
		ref := spool.Ref{ID: id, Recipient: i}
		if st, err := t.s.standing(ref); err == nil && st != nil && st.place() != 0 {
			_ = t.leave(ref, m, st) // what cannot be read stays where lease skips it
		}
	}
}

// dropMoved forgets what noteMoved remembered, once the lease has ended.
func (t *tx) dropMoved(ref spool.Ref) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	name, ok := t.s.moved[ref]
	if !ok {
		return
	}
	delete(t.s.moved, ref)
	if t.s.movedOf[name]--; t.s.movedOf[name] == 0 {
		delete(t.s.movedOf, name)
		t.delete(nameKey(kMoved, name))
	}
}

// noteMoved remembers that a destination is to start after a recipient that is leased.
func (t *tx) noteMoved(ref spool.Ref, name string) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if _, known := t.s.moved[ref]; known {
		return
	}
	t.s.moved[ref] = name
	if t.s.movedOf[name]++; t.s.movedOf[name] == 1 {
		t.set(nameKey(kMoved, name), nil)
	}
}

// restoreStarts makes the starts of destinations true again whose leases a
// crash, or a Close, has ended.
func (s *Spool) restoreStarts() error {
	t := s.newTx()
	defer t.close()
	var names []string
	err := s.scan(s.db, []byte{kMoved}, []byte{kMoved + 1}, func(key, _ []byte) bool {
		name, _ := cutName(key[1:])
		names = append(names, name)
		return true
	})
	for _, name := range names {
		if err != nil {
			return err
		}
		err = t.restoreStart(name)
		t.delete(nameKey(kMoved, name))
	}
	if err != nil {
		return err
	}
	return t.apply()
}

func (t *tx) restoreStart(name string) error {
	p, err := t.place(name)
	if err != nil || !p.found {
		return err
	}
	prefix := nameKey(kDue, name)
	return t.s.scan(t.s.db, prefix, after(prefix), func(key, _ []byte) bool {
		due, _ := cutDue(bytes.TrimPrefix(key, prefix))
		p.wake(due)
		return false
	})
}
