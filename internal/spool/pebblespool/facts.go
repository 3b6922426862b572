package pebblespool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// tell puts facts about a message into the batch, as one record. Its place is
// that of its first fact; the others follow it.
func (t *tx) tell(id mail.ID, facts []spool.Fact) {
	if len(facts) == 0 {
		return
	}
	seq := t.s.nextSeq(len(facts))
	t.seqs = append(t.seqs, seq)
	e := spool.Encoder(append(t.record[:0], id[:]...))
	for i := range facts {
		e.Time(facts[i].At)
		e.Octets(facts[i].Data)
		t.count[countFactBytes] += int64(len(facts[i].Data))
	}
	t.count[countFacts] += int64(len(facts))
	t.record = e
	t.key = binary.BigEndian.AppendUint64(append(t.key[:0], kFact), seq)
	t.set(t.key, e)
	if !id.IsZero() {
		t.key = binary.BigEndian.AppendUint64(t.idKey(kFactOf, id), seq)
		t.set(t.key, nil)
	}
}

// nextSeq takes n places of the journal, of which nothing is read, nor of what is
// after them, until shown.
func (s *Spool) nextSeq(n int) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := max(s.lastSeq+1, uint64(time.Now().UnixNano()))
	s.lastSeq = seq + uint64(n) - 1
	s.unread[seq] = true
	return seq
}

func (s *Spool) shown(seqs []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seq := range seqs {
		delete(s.unread, seq)
	}
}

// horizon is the first place of the journal that is not to be read yet.
func (s *Spool) horizon() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.lastSeq + 1
	for seq := range s.unread {
		h = min(h, seq)
	}
	return h
}

// lastFact finds the end of the journal.
func (s *Spool) lastFact() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kFact}, UpperBound: []byte{kFact + 1}})
	if err != nil {
		return err
	}
	if it.Last() {
		facts, err := readFacts(it)
		if err == nil && len(facts) > 0 {
			s.lastSeq = facts[len(facts)-1].Seq
		}
	}
	return it.Close()
}

// readFacts reads the record that an iterator of the journal stands at.
func readFacts(it *pebble.Iterator) ([]spool.Fact, error) {
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return cutFacts(binary.BigEndian.Uint64(it.Key()[1:]), slices.Clone(value))
}

// cutFacts takes a record apart. Its facts are pieces of it.
func cutFacts(seq uint64, value []byte) ([]spool.Fact, error) {
	if len(value) < len(mail.ID{}) {
		return nil, spool.ErrRecord
	}
	id := mail.ID(value[:12])
	facts := make([]spool.Fact, 0, 1) // as most records have
	for d := (spool.Decoder{Data: value[12:]}); len(d.Data) > 0; seq++ {
		f := spool.Fact{ID: id, At: d.Time(), Data: d.Octets(), Seq: seq}
		if d.Err != nil {
			return nil, d.Err
		}
		facts = append(facts, f)
	}
	return facts, nil
}

// Note implements [spool.Engine].
func (s *Spool) Note(ctx context.Context, facts []spool.Fact) error {
	for i := range facts {
		if len(facts[i].Data) > spool.MaxFact {
			return fmt.Errorf("note: fact of %d octets: %w", len(facts[i].Data), spool.ErrLimit)
		}
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	t := s.newTx()
	defer t.close()
	for i := range facts {
		t.tell(facts[i].ID, facts[i:i+1])
	}
	if err := t.apply(); err != nil {
		return err
	}
	s.soon()
	return nil
}

// Facts implements [spool.Engine].
func (s *Spool) Facts(ctx context.Context, q spool.FactQuery) (spool.FactPage, error) {
	if err := s.enter(ctx); err != nil {
		return spool.FactPage{}, err
	}
	defer s.leave()
	r := factReader{s: s, q: &q, limit: spool.Limit(q.Limit), end: s.horizon()}
	if !q.Since.IsZero() {
		r.first = uint64(max(0, q.Since.UnixNano()))
	}
	if q.Newest && q.After > 0 {
		r.end = min(r.end, q.After)
	} else if !q.Newest {
		r.first = max(r.first, q.After+1)
	}
	err := r.run()
	return r.page, err
}

// factReader is one call of Facts: it reads the places from first to before end.
type factReader struct {
	s          *Spool
	q          *spool.FactQuery
	limit      int
	first, end uint64
	page       spool.FactPage
}

func (r *factReader) run() error {
	kind, prefix := byte(kFact), []byte{kFact}
	if !r.q.ID.IsZero() {
		kind, prefix = kFactOf, idKey(kFactOf, r.q.ID)
	}
	it, err := r.s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	at := func(seq uint64) []byte { return binary.BigEndian.AppendUint64(slices.Clone(prefix), seq) }
	ok, next := false, it.Next
	if r.q.Newest {
		ok, next = it.SeekLT(at(r.end)), it.Prev
	} else if ok = it.SeekLT(at(r.first + 1)); !ok { // the record that holds first may begin before it
		ok = it.First()
	}
	for more := true; ok && more && err == nil; ok = more && next() {
		more, err = r.group(it, kind)
	}
	return errors.Join(err, it.Close())
}

// group reads the record that the iterator stands at, and reports whether to go on.
func (r *factReader) group(it *pebble.Iterator, kind byte) (more bool, err error) {
	key := it.Key()
	seq := binary.BigEndian.Uint64(key[len(key)-8:])
	if seq >= r.end {
		return r.q.Newest, nil
	}
	var facts []spool.Fact
	if kind == kFact {
		facts, err = readFacts(it)
	} else {
		var value []byte
		if value, err = r.s.get(numberKey(kFact, seq)); err == nil && value != nil {
			facts, err = cutFacts(seq, value)
		}
	}
	if err != nil {
		return false, err
	}
	if r.q.Newest {
		slices.Reverse(facts)
	}
	return r.add(facts), nil
}

func (r *factReader) add(facts []spool.Fact) (more bool) {
	for _, f := range facts {
		switch {
		case f.Seq >= r.end:
		case f.Seq < r.first:
			if r.q.Newest {
				return false
			}
		case len(r.page.Facts) == r.limit:
			r.page.More = true
			return false
		default:
			r.page.Facts = append(r.page.Facts, f)
		}
	}
	return true
}

// maxTrimmed bounds how many records one round of trimming removes.
const maxTrimmed = 200_000

// trimFacts removes the oldest records while they are too old or too much.
func (s *Spool) trimFacts() error {
	t := s.newTx()
	defer t.close()
	keep := time.Now().Add(-s.opts.KeepFacts)
	over := s.stats[countFactBytes].Load() - s.opts.FactBytes
	var last uint64
	n := 0
	err := s.scan(s.db, []byte{kFact}, numberKey(kFact, s.horizon()), func(key, value []byte) bool {
		seq := binary.BigEndian.Uint64(key[1:])
		if n++; n > maxTrimmed || seq >= uint64(keep.UnixNano()) && over <= 0 {
			return false
		}
		facts, err := cutFacts(seq, value)
		if err != nil {
			s.opts.Log.Error("a record of the journal is damaged, and removed", "place", seq)
		}
		for _, f := range facts {
			t.count[countFacts]--
			t.count[countFactBytes] -= int64(len(f.Data))
			over -= int64(len(f.Data))
		}
		last = seq
		return true
	})
	if err != nil || last == 0 {
		return err
	}
	_ = t.b.DeleteRange([]byte{kFact}, numberKey(kFact, last+1), nil)
	var oldest mail.ID // messages that arrived when the last of these was written
	binary.BigEndian.PutUint64(oldest[:], (last/1e6)<<16)
	_ = t.b.DeleteRange([]byte{kFactOf}, idKey(kFactOf, oldest), nil)
	return t.apply()
}
