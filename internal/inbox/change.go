package inbox

import (
	"bytes"
	"context"
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
)

// Mark says whether a message was read. The error is [ErrNotFound], or one of the disk.
func (s *Store) Mark(inbox string, id mail.ID, read bool) error {
	return s.alter(inbox, id, func(r *record) { r.Message.Read = read })
}

// Continue says how the dialogue went on in which a message came.
func (s *Store) Continue(inbox string, id mail.ID, more []Line) error {
	return s.alter(inbox, id, func(r *record) { r.Dialogue = bounded(append(r.Dialogue, more...)) })
}

// alter changes what is known of a message. It may be lost if the machine dies at once.
func (s *Store) alter(inbox string, id mail.ID, change func(*record)) error {
	m, err := s.Get(inbox, id)
	if err != nil {
		return err
	}
	r, err := s.files.alter(m.Inbox, id, change)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.index.renew(s.index.find(m.Inbox, id), &r.Message)
	s.mu.Unlock()
	s.tell()
	return nil
}

// renew puts into the index what may change of a message: whether it was read, and its
// tags. nil is one that has gone. The entry is replaced, since others may be looking at it.
func (x *index) renew(e *entry, now *Message) {
	if e == nil || e.message.Read == now.Read && slices.Equal(e.message.Tags, now.Tags) {
		return
	}
	marked := *e
	marked.message.Read, marked.message.Tags = now.Read, now.Tags
	b := x.boxes[e.message.Inbox]
	x.all[slices.Index(x.all, e)] = &marked
	b.entries[slices.Index(b.entries, e)] = &marked
	switch {
	case now.Read && !e.message.Read:
		b.unread--
	case e.message.Read && !now.Read:
		b.unread++
	}
}

// Delete removes messages, and returns how many of them there were.
func (s *Store) Delete(inbox string, ids ...mail.ID) int {
	s.mu.Lock()
	var gone []*entry
	for _, id := range ids {
		if e := s.index.find(inboxName(inbox), id); e != nil && !slices.Contains(gone, e) {
			gone = append(gone, e)
		}
	}
	s.index.drop(gone)
	s.mu.Unlock()
	return s.deleted(gone)
}

// DeleteAll removes the messages of an inbox that fit a query, and returns how many
// there were.
func (s *Store) DeleteAll(inbox string, q Query) int {
	s.mu.Lock()
	var gone []*entry
	for _, e := range s.index.of(inboxName(inbox)) {
		if q.fits(e) {
			gone = append(gone, e)
		}
	}
	s.index.drop(gone)
	s.mu.Unlock()
	return s.deleted(gone)
}

func (s *Store) deleted(gone []*entry) int {
	if s.remove(gone); len(gone) > 0 {
		s.tell()
	}
	return len(gone)
}

// Wait returns the newest message of an inbox that fits a query and came after since
// (zero: at any time), or the next that comes. The inbox need not be there yet. Errors are those of
// ctx, and [ErrClosed].
func (s *Store) Wait(ctx context.Context, inbox string, q Query, since mail.ID) (Message, error) {
	for {
		m, changed, err := s.newest(inbox, q, since)
		if err != nil || !m.ID.IsZero() {
			return m, err
		}
		select {
		case <-ctx.Done():
			return Message{}, ctx.Err()
		case <-changed:
		}
	}
}

// newest returns the newest message that fits, and what tells of a change since.
func (s *Store) newest(inbox string, q Query, since mail.ID) (Message, <-chan struct{}, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	later := s.index.after(since)
	for _, e := range slices.Backward(s.index.of(inboxName(inbox))) {
		if later(e) && q.fits(e) {
			return e.message, nil, nil
		}
	}
	if s.closed {
		return Message{}, nil, ErrClosed
	}
	return Message{}, s.changed, nil
}

// after reports whether a message was put in after the one with an ID. Those that come
// at the same time may be put in in another order than that of their IDs.
func (x *index) after(since mail.ID) func(*entry) bool {
	if e := x.find("", since); e != nil {
		return func(other *entry) bool { return other.nth > e.nth }
	}
	return func(other *entry) bool { return bytes.Compare(other.message.ID[:], since[:]) > 0 }
}
