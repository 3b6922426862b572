package session

import (
	"context"
	"io"
	"slices"
	"sync"
)

// Follower reads along. It has one user at a time; what it has not read when the session
// goes on is kept as long as the session's ring keeps it.
type Follower struct {
	session *session
	next    uint64        // number of the line that comes next
	news    chan struct{} // has something in it when there may be more
	once    sync.Once
}

// Follow reads a session along from its first line that is kept; false: it is not known.
// The Follower is to be closed.
func (r *Registry) Follow(number uint64) (*Follower, bool) {
	s := r.find(number)
	if s == nil {
		return nil, false
	}
	f := &Follower{session: s, news: make(chan struct{}, 1)}
	f.wake()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followers = append(s.followers, f)
	return f, true
}

func (f *Follower) wake() {
	select {
	case f.news <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// Next waits for more lines, and returns them; the first time those that were said
// before. When the session has ended and all was returned, the error is io.EOF; when
// ctx ends, its error.
func (f *Follower) Next(ctx context.Context) ([]Line, error) {
	for {
		lines, over := f.read()
		switch {
		case len(lines) > 0:
			return lines, nil
		case over:
			return nil, io.EOF
		}
		select {
		case <-f.news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (f *Follower) read() (lines []Line, over bool) {
	s := f.session
	s.mu.Lock()
	defer s.mu.Unlock()
	lines = s.ring.lines(nil, f.next)
	f.next = s.ring.next
	return lines, s.talk.state == Ended
}

// View is how the session stands.
func (f *Follower) View() View { return f.session.stand() }

// Close ends following.
func (f *Follower) Close() {
	f.once.Do(func() {
		s := f.session
		s.mu.Lock()
		defer s.mu.Unlock()
		s.followers = slices.DeleteFunc(s.followers, func(g *Follower) bool { return g == f })
	})
}
