package pebblespool

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

var _ spool.Importer = (*Spool)(nil)

// Import implements [spool.Importer].
func (s *Spool) Import(ctx context.Context, items []spool.Item, content mail.Content) error {
	if err := spool.CheckImport(items, content); err != nil {
		return err
	}
	env := items[0].Envelope
	d, err := s.Begin(ctx, env.Size)
	if err != nil {
		return err
	}
	defer d.Abort()
	if err := copyContent(d, content); err != nil {
		return fmt.Errorf("import %s: %w", env.ID, err)
	}
	if err := s.importDraft(ctx, d.(*draft), items); err != nil {
		return fmt.Errorf("import %s: %w", env.ID, err)
	}
	return nil
}

func copyContent(d spool.Draft, c mail.Content) error {
	r, err := c.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(d, r)
	return err
}

// importDraft makes a message of a draft that takes over another's ID.
func (s *Spool) importDraft(ctx context.Context, d *draft, items []spool.Item) error {
	env := items[0].Envelope
	if d.size != env.Size {
		return fmt.Errorf("content of %d octets, not %d: %w", d.size, env.Size, spool.ErrDamaged)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := d.seal(); err != nil {
		return err
	}
	s.index <- struct{}{}
	defer func() { <-s.index }()
	if there, err := s.has(idKey(kEnvelope, env.ID)); err != nil || there {
		if err == nil {
			err = spool.ErrConflict
		}
		return err
	}
	d.id = env.ID
	t := s.newTx()
	defer t.close()
	if err := t.importMessage(d, items); err != nil {
		return err
	}
	d.end()
	if err := t.apply(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, env.ID)
	s.flights.add(env.ID)
	return nil
}

// importMessage puts a message into the batch as it was elsewhere.
func (t *tx) importMessage(d *draft, items []spool.Item) error {
	env := *items[0].Envelope
	h := head{size: env.Size, recipients: len(env.To), generation: t.s.generation}
	if d.file != nil {
		h.file = d.file.number
		t.delete(numberKey(kIntent, h.file))
	}
	t.putBody(d, nil)
	t.set(idKey(kEnvelope, env.ID), spool.Seal(appendEnvelope(nil, &h, &env), env.ID[:]))
	t.count[countMessages]++
	t.count[countBytes] += env.Size
	fresh, next := 0, 0
	for i := range env.To {
		var it *spool.Item
		if next < len(items) && items[next].Standing.Recipient == i {
			it = &items[next]
			next++
		}
		if it != nil && it.Place == spool.Fresh && !it.Standing.Suspect {
			fresh++
			continue // it has no record before it is settled
		}
		if err := t.importRecipient(spool.Ref{ID: env.ID, Recipient: i}, it); err != nil {
			return err
		}
	}
	if fresh > 0 {
		t.set(idKey(kFresh, env.ID), appendFlight(nil, &env))
		t.count[spool.Fresh] += int64(fresh)
	}
	if len(env.To) > 1 && fresh < len(env.To) {
		b := binary.BigEndian.AppendUint32(nil, uint32(fresh))
		t.set(idKey(kProgress, env.ID), binary.BigEndian.AppendUint32(b, uint32(len(items))))
	}
	return nil
}

// importRecipient records where one stands; nil: it is done. What has become of it is
// in the journal, so that any last fate will do here.
func (t *tx) importRecipient(ref spool.Ref, it *spool.Item) error {
	now := &standing{generation: t.s.generation, Standing: spool.Standing{Recipient: ref.Recipient, Fate: mail.Delivered}}
	if it != nil {
		now.Standing = it.Standing
		if err := t.enter(ref, now); err != nil {
			return err
		}
	}
	t.set(refKey(kStanding, ref), spool.Seal(now.append(nil), ref.ID[:]))
	return nil
}

// ImportFacts implements [spool.Importer].
func (s *Spool) ImportFacts(ctx context.Context, facts []spool.Fact) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.index <- struct{}{}
	defer func() { <-s.index }()
	s.mu.Lock()
	last := s.lastSeq
	s.mu.Unlock()
	if err := spool.CheckPlaces(last, facts); err != nil {
		return err
	}
	t := s.newTx()
	defer t.close()
	for i := range facts {
		t.importFact(&facts[i])
	}
	if err := t.apply(); err != nil || len(facts) == 0 {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastSeq = facts[len(facts)-1].Seq
	return nil
}

func (t *tx) importFact(f *spool.Fact) {
	e := spool.Encoder(append([]byte(nil), f.ID[:]...))
	e.Time(f.At)
	e.Octets(f.Data)
	t.count[countFacts]++
	t.count[countFactBytes] += int64(len(f.Data))
	t.set(numberKey(kFact, f.Seq), e)
	if !f.ID.IsZero() {
		t.set(binary.BigEndian.AppendUint64(idKey(kFactOf, f.ID), f.Seq), nil)
	}
}

// Rooms implements [spool.Importer].
func (s *Spool) Rooms(ctx context.Context, after string, limit int) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var rooms []string
	from := []byte{kState}
	if after != "" {
		from = behind(after)
	}
	for len(rooms) < spool.Limit(limit) {
		room, found, err := s.roomFrom(from)
		if err != nil || !found {
			return rooms, err
		}
		rooms = append(rooms, room)
		from = behind(room)
	}
	return rooms, nil
}

// behind is the first key that may be of a room after this one.
func behind(room string) []byte { return after(nameKey(kState, room)) }

// roomFrom is the room of the first state from a key on.
func (s *Spool) roomFrom(from []byte) (room string, found bool, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: []byte{kState + 1}})
	if err != nil {
		return "", false, err
	}
	if found = it.First(); found {
		room, _ = cutName(it.Key()[1:])
	}
	return room, found, it.Close()
}
