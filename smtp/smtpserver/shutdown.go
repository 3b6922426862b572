package smtpserver

import (
	"context"
)

// Shutdown stops accepting connections and ends the open ones: those that wait
// for a command are told 421, those in the middle of a message when it is
// answered. It returns when all have ended; if ctx ends first, with its error,
// and the rest go on until Close.
func (s *Server) Shutdown(ctx context.Context) error {
	s.setUp()
	s.mu.Lock()
	s.close()
	for c := range s.conns {
		c.interrupt()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.sessions.Wait(); close(done) }()
	select {
	case <-done:
		s.cancel()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close stops at once: it cuts every connection, and waits until the Handler
// has let go of them.
func (s *Server) Close() error {
	s.setUp()
	s.mu.Lock()
	s.close()
	for c := range s.conns {
		c.cut()
	}
	s.mu.Unlock()
	s.cancel()
	s.sessions.Wait()
	return nil
}

// close stops listening. The lock is held.
func (s *Server) close() {
	s.closing = true
	for l := range s.listeners {
		(*l).Close()
	}
}

// Connections returns how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}
