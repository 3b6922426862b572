package inbox

import (
	"context"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Join reads what nodes have kept, and follows from now on what others do. It is for a store with
// [Options.States], once they can be read; others have nothing to join.
func (s *Store) Join(ctx context.Context) error {
	f, is := s.files.(*shared)
	if !is {
		return nil
	}
	last, err := s.readAll(ctx, f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && !s.following {
		s.following = true
		s.tidying.Go(func() { s.follow(s.life, f, last) })
	}
	return nil
}

// readAll makes the index that of all records, and returns the number of the last change that it
// has for certain.
func (s *Store) readAll(ctx context.Context, f *shared) (uint64, error) {
	last, err := f.end(ctx) // before: what is told later is looked at again
	if err != nil {
		return 0, err
	}
	there := map[mail.ID]bool{}
	err = f.each(ctx, func(r *record) {
		there[r.Message.ID] = true
		s.came(r)
	})
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	var gone []*entry
	for _, e := range s.index.all {
		if !there[e.message.ID] {
			gone = append(gone, e)
		}
	}
	s.mu.Unlock()
	for _, e := range gone {
		if _, err := f.read("", e.message.ID); errors.Is(err, ErrNotFound) { // else it came meanwhile
			s.went(e.message.Inbox, e.message.ID)
		}
	}
	s.tell()
	return last, nil
}

// follow does to the index what other nodes do to the files, until ctx ends.
func (s *Store) follow(ctx context.Context, f *shared, last uint64) {
	tick := time.NewTicker(s.opts.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		last = s.catchUp(ctx, f, last)
	}
}

// catchUp takes over the changes after a number, and returns the last one that it has. What cannot be read now is
// tried again.
func (s *Store) catchUp(ctx context.Context, f *shared, last uint64) uint64 {
	for {
		all, end, ok, err := f.since(ctx, last)
		if err == nil && !ok {
			if end, err = s.readAll(ctx, f); err == nil {
				return end
			}
		}
		if err != nil || len(all) == 0 {
			return last
		}
		for i, c := range all {
			if s.apply(f, c) != nil {
				s.tell()
				return last + uint64(i)
			}
		}
		s.tell()
		last = end
	}
}

// apply takes over one change.
func (s *Store) apply(f *shared, c change) error {
	if c.Gone {
		s.went(c.Inbox, c.ID)
		return nil
	}
	r, err := f.read(c.Inbox, c.ID)
	switch {
	case err == nil:
		s.came(r)
	case errors.Is(err, ErrNotFound): // it went since
	case errors.Is(err, errBroken):
		s.opts.Log.Warn("a message of the inbox is passed over", "id", c.ID, "err", err)
	default:
		return err
	}
	return nil
}

// came puts a message of another node into the index, or what has changed of it.
func (s *Store) came(r *record) {
	s.mu.Lock()
	if e := s.index.find(r.Message.Inbox, r.Message.ID); e != nil {
		s.index.mark(e, r.Message.Read)
	} else if !s.closed {
		s.index.add(newEntry(r))
	}
	gone := s.index.trim(time.Now())
	s.mu.Unlock()
	s.remove(gone)
}

// went takes a message out of the index that another node has removed.
func (s *Store) went(inbox string, id mail.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.index.find(inbox, id); e != nil {
		s.index.drop([]*entry{e})
	}
}
