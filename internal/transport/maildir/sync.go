package maildir

import "sync"

// sharedSync lets deliveries that end together share one sync of the
// directory. A sync that has begun already may have missed what a caller did
// before its call, so a caller joins only one that has yet to begin.
type sharedSync struct {
	do   func() error
	turn chan struct{} // held by the sync that runs

	mu      sync.Mutex
	waiting *syncCall // has not begun; nil: none
}

type syncCall struct {
	done chan struct{}
	err  error // valid once done is closed
}

func newSharedSync(do func() error) *sharedSync {
	return &sharedSync{do: do, turn: make(chan struct{}, 1)}
}

// sync returns after a sync that began after the call.
func (s *sharedSync) sync() error {
	call, ours := s.join()
	if !ours {
		<-call.done
		return call.err
	}
	s.turn <- struct{}{}
	s.begin()
	call.err = s.do()
	<-s.turn
	close(call.done)
	return call.err
}

// join returns the sync that is to begin next, and whether the caller is the
// one who carries it out.
func (s *sharedSync) join() (call *syncCall, ours bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting != nil {
		return s.waiting, false
	}
	s.waiting = &syncCall{done: make(chan struct{})}
	return s.waiting, true
}

// begin closes the waiting sync to those who come later.
func (s *sharedSync) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = nil
}
