package transcript

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Pipe returns the two ends of a connection in memory. Unlike those of
// [net.Pipe], each direction holds up to size octets that were written and not
// yet read (as a socket does, and TLS needs), and a close lets the other side
// read what was written before it. It can be used in a synctest bubble.
func Pipe(size int) (a, b net.Conn) {
	ab, ba := newStream(size), newStream(size)
	return &end{in: ba, out: ab}, &end{in: ab, out: ba}
}

// stream is one direction.
type stream struct {
	mu     sync.Mutex
	change sync.Cond
	buf    []byte
	size   int
	closed bool // no more will be written
	gone   bool // nobody reads
}

func newStream(size int) *stream {
	s := &stream{size: size}
	s.change.L = &s.mu
	return s
}

// limit is the deadline of one end for one direction.
type limit struct {
	at    time.Time
	timer *time.Timer
}

func (l *limit) over() bool { return !l.at.IsZero() && !time.Now().Before(l.at) }

type end struct {
	in, out     *stream
	read, write limit
}

func (e *end) Read(p []byte) (int, error) {
	s := e.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.gone:
			return 0, net.ErrClosed
		case e.read.over():
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			s.change.Broadcast()
			return n, nil
		case s.closed:
			return 0, io.EOF
		}
		s.change.Wait()
	}
}

func (e *end) Write(p []byte) (int, error) {
	s := e.out
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := 0
	for {
		switch {
		case s.closed:
			return sum, net.ErrClosed
		case s.gone:
			return sum, io.ErrClosedPipe
		case e.write.over():
			return sum, os.ErrDeadlineExceeded
		}
		n := min(len(p), s.size-len(s.buf))
		s.buf = append(s.buf, p[:n]...)
		p, sum = p[n:], sum+n
		s.change.Broadcast()
		if len(p) == 0 {
			return sum, nil
		}
		s.change.Wait()
	}
}

func (e *end) Close() error {
	already := e.out.set(func() bool { was := e.out.closed; e.out.closed = true; return was })
	e.in.set(func() bool { e.in.gone = true; return true })
	if already {
		return net.ErrClosed
	}
	return nil
}

func (s *stream) set(f func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.change.Broadcast()
	return f()
}

func (e *end) SetDeadline(t time.Time) error {
	_ = e.SetReadDeadline(t)
	return e.SetWriteDeadline(t)
}

func (e *end) SetReadDeadline(t time.Time) error  { return e.in.setLimit(&e.read, t) }
func (e *end) SetWriteDeadline(t time.Time) error { return e.out.setLimit(&e.write, t) }

func (s *stream) setLimit(l *limit, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.at = t
	if !t.IsZero() {
		l.timer = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.change.Broadcast()
		})
	}
	s.change.Broadcast()
	return nil
}

func (e *end) LocalAddr() net.Addr  { return addr{} }
func (e *end) RemoteAddr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "pipe" }
func (addr) String() string  { return "pipe" }
