package memspool

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

var _ spool.Importer = (*Spool)(nil)

// Import implements [spool.Importer].
func (s *Spool) Import(ctx context.Context, items []spool.Item, content mail.Content) error {
	if err := spool.CheckImport(items, content); err != nil {
		return err
	}
	text, err := readAll(content)
	if err != nil {
		return fmt.Errorf("import %s: %w", items[0].Envelope.ID, err)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	env := *items[0].Envelope
	if s.disk.messages[env.ID] != nil {
		return fmt.Errorf("import %s: %w", env.ID, spool.ErrConflict)
	}
	env.To = slices.Clone(env.To)
	m := &message{env: env, content: text, standings: make([]spool.Standing, len(env.To)), places: make([]spool.Place, len(env.To))}
	for i := range m.standings {
		m.standings[i] = spool.Standing{Recipient: i, Fate: mail.Delivered} // unless it is imported: done
	}
	for i := range items {
		st := items[i].Standing
		m.standings[st.Recipient], m.places[st.Recipient] = st, items[i].Place
	}
	s.disk.add(m)
	return nil
}

func readAll(c mail.Content) ([]byte, error) {
	r, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// ImportFacts implements [spool.Importer].
func (s *Spool) ImportFacts(ctx context.Context, facts []spool.Fact) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	d := &s.disk
	if err := spool.CheckPlaces(d.lastSeq, facts); err != nil {
		return err
	}
	before := d.lastSeq
	for _, f := range facts {
		f.Data = slices.Clone(f.Data)
		d.facts, d.factBytes, d.lastSeq = append(d.facts, f), d.factBytes+int64(len(f.Data)), f.Seq
	}
	d.log(func(d *disk) { d.forgetAfter(before) })
	return nil
}

// Rooms implements [spool.Importer].
func (s *Spool) Rooms(ctx context.Context, after string, limit int) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var rooms []string
	for _, k := range s.disk.stateKeys.keys {
		if k.room <= after || len(rooms) > 0 && rooms[len(rooms)-1] == k.room {
			continue
		}
		if len(rooms) == spool.Limit(limit) {
			break
		}
		rooms = append(rooms, k.room)
	}
	return rooms, nil
}
