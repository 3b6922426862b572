package door

import (
	"net"
	"sync/atomic"
	"time"
)

// Listener returns a listener whose connections the door can cut and slow down.
func (d *Door) Listener(l net.Listener) net.Listener { return &listener{l, d} }

type listener struct {
	net.Listener
	door *Door
}

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, door: l.door, key: nc.RemoteAddr().String()}
	l.door.mu.Lock()
	l.door.conns[c.key] = c
	l.door.mu.Unlock()
	return c, nil
}

// conn is a connection that can be cut, and that lets out an octet at a time.
type conn struct {
	net.Conn
	door    *Door
	key     string
	trickle atomic.Int64 // time.Duration between two octets; 0: at once
	wrong   atomic.Value // scenario.Certificate: what is wrong with the one that is shown
}

func (c *conn) Close() error {
	c.door.mu.Lock()
	if c.door.conns[c.key] == c {
		delete(c.door.conns, c.key)
	}
	c.door.mu.Unlock()
	return c.Conn.Close()
}

// cut ends the connection without a word.
func (c *conn) cut() {
	if c.Conn == nil {
		return
	}
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // what was not sent is not sent
	}
	_ = c.Conn.Close()
}

func (c *conn) Write(p []byte) (n int, err error) {
	for n < len(p) {
		each := time.Duration(c.trickle.Load())
		if each == 0 {
			more, err := c.Conn.Write(p[n:])
			return n + more, err
		}
		time.Sleep(each)
		if _, err := c.Conn.Write(p[n : n+1]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
