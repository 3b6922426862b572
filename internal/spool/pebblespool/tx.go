package pebblespool

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
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

	key, record []byte // for the next one, whose content the batch copies
}

func (s *Spool) newTx() *tx {
	t, _ := s.txs.Get().(*tx)
	if t == nil {
		t = new(tx)
	}
	t.s, t.b = s, s.db.NewBatch()
	return t
}

// A batch in memory does not fail.
func (t *tx) set(key, value []byte) { _ = t.b.Set(key, value, nil) }
func (t *tx) delete(key []byte)     { _ = t.b.Delete(key, nil) }

// deleteOnce deletes a record that was written once. It vanishes with it in the
// memtable, so that short-lived mail is written only to the log.
func (t *tx) deleteOnce(key []byte) { _ = t.b.SingleDelete(key, nil) }

// apply commits the batch lazily and makes it visible.
func (t *tx) apply() error {
	t.finish()
	if t.b.Empty() {
		return nil
	}
	err := t.s.kept(t.b.Commit(pebble.NoSync))
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
	s := t.s
	s.shown(t.seqs)
	_ = t.b.Close() // returns the memory; it has nothing to fail with
	record := t.record
	*t = tx{seqs: t.seqs[:0], key: t.key[:0]}
	if cap(record) <= maxScratch {
		t.record = record[:0]
	}
	s.txs.Put(t)
}

// maxScratch is how many octets of memory are kept for the next record.
const maxScratch = 16 << 10

// idKey is a key that is good until the next one.
func (t *tx) idKey(kind byte, id mail.ID) []byte {
	t.key = append(append(t.key[:0], kind), id[:]...)
	return t.key
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
	if old.place() == spool.Waiting && !sabotage.Is("what was due stays due") {
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
	t.set(refKey(kStanding, ref), spool.Seal(now.append(nil), ref.ID[:]))
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
		if !sabotage.Is("the due index is not updated") {
			t.set(dueKey(now.Destination, dueOf(now), ref), nil)
		}
		p.wake(dueOf(now))
	}
	return nil
}

// remove takes a message off the disk whose recipients are all done.
func (t *tx) remove(id mail.ID, m *message, recorded bool) error {
	m.gone = true
	t.deleteOnce(t.idKey(kEnvelope, id))
	t.deleteOnce(t.idKey(kBody, id))
	if m.flight {
		t.deleteOnce(t.idKey(kFresh, id))
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
