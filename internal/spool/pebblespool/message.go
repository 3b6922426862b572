package pebblespool

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

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
	m := t.s.takeBorn(id)
	if m == nil {
		var err error
		if m, err = t.s.message(id); err != nil {
			return nil, err
		}
	}
	if t.messages == nil {
		t.messages = map[mail.ID]*message{}
	}
	t.messages[id] = m
	return m, nil
}

// maxBorn bounds how many messages are known without reading. What is beyond is read.
const maxBorn = 50_000

// bear remembers a message that was committed with a lease: until a batch first
// changes it, it is on the disk as it was written. Spool.mu is held.
func (s *Spool) bear(id mail.ID, h head) {
	if len(s.born) < maxBorn {
		s.born[id] = h
	}
}

// takeBorn is what settling needs to know of a message that nobody has changed
// since its commit; nil: read it. It is known only once, to who changes it.
func (s *Spool) takeBorn(id mail.ID) *message {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.born[id]
	if !ok {
		return nil
	}
	delete(s.born, id)
	return &message{head: h, fresh: h.recipients, open: h.recipients, flight: true, pristine: true}
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
		t.deleteOnce(t.idKey(kFresh, id))
	}
	if m.recipients > 1 {
		b := binary.BigEndian.AppendUint32(nil, uint32(m.fresh))
		t.set(idKey(kProgress, id), binary.BigEndian.AppendUint32(b, uint32(m.open)))
	}
}
