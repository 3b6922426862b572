package smtpserver

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// accept returns the next connection. It waits out errors that pass by themselves,
// such as too many open files.
func accept(l net.Listener) (net.Conn, error) {
	for delay := 5 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		nc, err := l.Accept()
		var passing interface{ Temporary() bool }
		if err == nil || !errors.As(err, &passing) || !passing.Temporary() {
			return nc, err
		}
		time.Sleep(delay)
	}
}

// admit takes a connection into the server. It returns nil if the server is
// closing.
func (s *Server) admit(nc net.Conn) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil
	}
	c := newConn(s, nc, s.number())
	s.conns[c] = struct{}{}
	s.sessions.Add(1)
	return c
}

// number numbers a connection. The lock is held.
func (s *Server) number() uint64 {
	if s.NextID != nil {
		return s.NextID()
	}
	s.nextID++
	return s.nextID
}

// leave undoes admit, and full.
func (s *Server) leave(c *Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if c.counted.IsValid() {
		if s.byAddress[c.counted]--; s.byAddress[c.counted] == 0 {
			delete(s.byAddress, c.counted)
		}
	}
	s.mu.Unlock()
	s.sessions.Done()
}

// full counts a connection for its client's address, which PROXY may have told.
// If there are too many it returns the reply that turns this one away, and nil
// otherwise.
func (s *Server) full(c *Conn) *smtp.Reply {
	block := addressBlock(c.peer.Addr())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limits.Connections != none && len(s.conns) > s.limits.Connections && !s.makeRoom(time.Now()) {
		return smtp.Replyf(smtp.CodeUnavailable, smtp.EnhancedCode{4, 3, 2}, "Too many connections, try again later")
	}
	if !block.IsValid() {
		return nil
	}
	if s.limits.PerAddress != none && s.byAddress[block] >= s.limits.PerAddress {
		return smtp.Replyf(smtp.CodeUnavailable, smtp.EnhancedCode{4, 7, 0},
			"Too many connections from your address, try again later")
	}
	c.counted = block
	s.byAddress[block]++
	return nil
}

// What makeRoom goes by.
const (
	patience   = 10 * time.Second // with a client that others wait for
	hurryEvery = time.Second      // at the most often
)

// makeRoom turns out those who have kept the server waiting for a command for
// longer than patience, and reports whether there was somebody. So a crowd that does
// nothing, or says its commands an octet at a time, keeps nobody out for long. The lock is held.
func (s *Server) makeRoom(now time.Time) bool {
	if now.Sub(s.hurried) < hurryEvery {
		return false
	}
	s.hurried = now
	room := false
	for c := range s.conns {
		room = c.hurry(now.Add(-patience)) || room
	}
	return room
}

// addressBlock is what counts as one client: an IPv4 address, or the /64 that
// an IPv6 host usually has to itself.
func addressBlock(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}
