package inbox

import (
	"cmp"
	"context"
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
)

// Reader tells the messages of an inbox as they come. It is of one goroutine.
type Reader struct {
	store *Store
	name  string
	query Query
	later func(*entry) bool // than what was told
	seen  uint64            // of the index: how many had been added when it was looked at
}

// maxNews is how many messages a [Reader] tells at a time.
const maxNews = 100

// Follow returns a reader of the messages of an inbox that fit a query and come after
// since; zero: that come from now on. The inbox need not be there yet, and "" is every inbox.
func (s *Store) Follow(inbox string, q Query, since mail.ID) *Reader {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if since.IsZero() {
		return &Reader{store: s, name: inboxName(inbox), query: q, later: addedAfter(s.index.added), seen: s.index.added}
	}
	return &Reader{store: s, name: inboxName(inbox), query: q, later: s.index.after(since)}
}

func addedAfter(nth uint64) func(*entry) bool { return func(e *entry) bool { return e.nth > nth } }

// Next waits until there is one at least, and returns what has come since the last call,
// in the order in which it came, 100 at most. Errors are those of ctx, and [ErrClosed].
func (r *Reader) Next(ctx context.Context) ([]Message, error) {
	for {
		news, changed, err := r.news()
		if err != nil || len(news) > 0 {
			return news, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// news returns what has come, and what tells of a change since.
func (r *Reader) news() ([]Message, <-chan struct{}, error) {
	s := r.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.closed:
		return nil, nil, ErrClosed
	case r.seen == s.index.added: // something else has changed
		return nil, s.changed, nil
	}
	fresh := r.fresh(&s.index)
	r.seen = s.index.added
	if len(fresh) > maxNews {
		fresh = fresh[:maxNews]
		r.seen = fresh[maxNews-1].nth
	}
	r.later = addedAfter(r.seen)
	news := make([]Message, len(fresh))
	for i, e := range fresh {
		news[i] = e.message
	}
	return news, s.changed, nil
}

// fresh is what was not told yet, in the order in which it came.
func (r *Reader) fresh(x *index) (fresh []*entry) {
	for _, e := range x.of(r.name) {
		if r.later(e) && r.query.fits(e) {
			fresh = append(fresh, e)
		}
	}
	slices.SortFunc(fresh, func(a, b *entry) int { return cmp.Compare(a.nth, b.nth) })
	return fresh
}
