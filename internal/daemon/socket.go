package daemon

import (
	"net"
	"sync"
	"time"
)

// socket is an address at which we listen for as long as any configuration says so.
// Who answers there changes with a reload, while the socket stays: so no caller is
// turned away, and no session is cut.
type socket struct {
	l     net.Listener
	calls chan net.Conn
	ended chan struct{} // nothing more is accepted
	err   error         // why, once it has ended
}

// accepting begins to accept what comes in at a listener. It ends with close.
func accepting(l net.Listener) *socket {
	s := &socket{l: l, calls: make(chan net.Conn), ended: make(chan struct{})}
	go s.accept()
	return s
}

func (s *socket) accept() {
	defer close(s.ended)
	const least, most = 5 * time.Millisecond, time.Second
	for delay := least; ; {
		conn, err := s.l.Accept()
		switch passing, ok := err.(interface{ Temporary() bool }); {
		case err == nil:
			s.calls <- conn
			delay = least
		case ok && passing.Temporary(): // such as too many open files
			time.Sleep(delay)
			delay = min(2*delay, most)
		default:
			s.err = err
			return
		}
	}
}

// close stops listening, and drops who has not been answered yet.
func (s *socket) close() {
	s.l.Close()
	for {
		select {
		case conn := <-s.calls:
			conn.Close()
		case <-s.ended:
			return
		}
	}
}

// view is a socket as one server has it: a [net.Listener] whose Close leaves the
// socket to the next.
type view struct {
	*socket
	once sync.Once
	over chan struct{}
}

func (s *socket) view() *view { return &view{socket: s, over: make(chan struct{})} }

// Accept implements [net.Listener].
func (v *view) Accept() (net.Conn, error) {
	select {
	case <-v.over:
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-v.calls:
		return conn, nil
	case <-v.over:
		return nil, net.ErrClosed
	case <-v.ended:
		return nil, v.err
	}
}

// Close implements [net.Listener].
func (v *view) Close() error {
	v.once.Do(func() { close(v.over) })
	return nil
}

// Addr implements [net.Listener].
func (v *view) Addr() net.Addr { return v.l.Addr() }
