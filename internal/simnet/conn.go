package simnet

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// conn is one end of a link. Its fields are guarded by the mutex of the link.
type conn struct {
	link          *link
	index         int
	local, remote net.Addr
	readable      signal
	writable      signal

	readUntil, writeUntil time.Time // deadlines
	ended                 bool      // CloseWrite
	closed                bool
	gone                  error     // what calls return when closed
	why                   error     // the connection breaks
	when                  time.Time // at this time
}

// signal wakes one who waits; what woke him wakes the next if it lasts.
type signal chan struct{}

func (s signal) notify() {
	select {
	case s <- struct{}{}:
	default:
	}
}

func newConn(l *link, index int, local, remote net.Addr) *conn {
	return &conn{link: l, index: index, local: local, remote: remote, readable: make(signal, 1), writable: make(signal, 1)}
}

func (c *conn) wake() {
	c.readable.notify()
	c.writable.notify()
}

// reset breaks this end at a time, unless it breaks before.
func (c *conn) reset(at time.Time, why error) {
	if c.closed || c.why != nil && !at.Before(c.when) {
		return
	}
	c.why, c.when = why, at
	c.wake()
}

// broken is why the end can no longer be used.
func (c *conn) broken(now, deadline time.Time) error {
	switch {
	case c.closed:
		return c.gone
	case !deadline.IsZero() && !now.Before(deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *conn) brokeOff(now time.Time) bool { return c.why != nil && !now.Before(c.when) }

// Read returns what has arrived, and waits if nothing has.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, next, err := c.read(p)
		if err == io.EOF {
			return 0, err
		}
		if n > 0 || err != nil {
			return n, c.opError("read", err)
		}
		if len(p) == 0 {
			return 0, nil
		}
		c.readable.wait(next)
	}
}

// read takes what is there, or tells when something may be.
func (c *conn) read(p []byte) (n int, next time.Time, err error) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	now := time.Now()
	if err := c.broken(now, c.readUntil); err != nil {
		c.readable.notify()
		return 0, next, err
	}
	s := &c.link.streams[1-c.index]
	for len(s.segments) > 0 && n < len(p) {
		g := &s.segments[0]
		if g.at.IsZero() || g.at.After(now) {
			next = g.at
			break
		}
		if g.fin {
			if n == 0 {
				err = io.EOF
			}
			break
		}
		k := copy(p[n:], g.data)
		n, g.data, s.held = n+k, g.data[k:], s.held-k
		if len(g.data) == 0 {
			s.segments = s.segments[1:]
		}
	}
	if n > 0 {
		c.link.ends[1-c.index].writable.notify()
		return n, next, nil
	}
	if err == nil && c.brokeOff(now) {
		err = c.why
	}
	if err != nil {
		c.readable.notify()
	}
	return 0, soonest(next, c.readUntil, c.due()), err
}

// due is when the connection breaks, if it does.
func (c *conn) due() time.Time {
	if c.why == nil {
		return time.Time{}
	}
	return c.when
}

// Write sends, and waits while too much is not yet read.
func (c *conn) Write(p []byte) (int, error) {
	sum := 0
	for {
		n, next, cut, err := c.write(p)
		if cut {
			c.link.tellCut(c.index)
		}
		sum, p = sum+n, p[n:]
		if err != nil || len(p) == 0 {
			return sum, c.opError("write", err)
		}
		c.writable.wait(next)
	}
}

func (c *conn) write(p []byte) (n int, next time.Time, cut bool, err error) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	now := time.Now()
	if err = c.broken(now, c.writeUntil); err == nil && c.brokeOff(now) {
		err = c.why
	}
	if err == nil && c.ended {
		err = syscall.EPIPE
	}
	if err != nil {
		c.writable.notify()
		return 0, next, false, err
	}
	s := &c.link.streams[c.index]
	if n = min(len(p), c.link.weather.Window-s.held); n > 0 {
		cut = c.link.send(c.index, p[:n], now)
	}
	return max(0, n), soonest(c.writeUntil, c.due()), cut, nil
}

// wait returns when there is a signal, or at a time that is not zero.
func (s signal) wait(until time.Time) {
	if until.IsZero() {
		<-s
		return
	}
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-s:
	case <-t.C:
	}
}

// soonest is the earliest time that is not zero.
func soonest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// CloseWrite tells the other end that nothing follows; reading goes on.
func (c *conn) CloseWrite() error {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.closed {
		return c.opError("close", c.gone)
	}
	c.fin()
	return nil
}

func (c *conn) fin() {
	if !c.ended && !c.link.dead {
		c.link.post(c.index, segment{fin: true}, time.Now())
	}
	c.ended = true
	c.writable.notify()
}

// Close tells the other end that nothing follows, or, if there is something
// that was not read, that it is lost.
func (c *conn) Close() error { return c.end(net.ErrClosed, false) }

// abort resets the connection.
func (c *conn) abort(why error) { _ = c.end(why, true) }

// end closes this end. From then on calls return why.
func (c *conn) end(why error, reset bool) error {
	done, err := c.shut(why, reset)
	if done {
		c.link.net.forget(c.link)
	}
	return err
}

func (c *conn) shut(why error, reset bool) (done bool, err error) {
	l := c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.closed {
		return false, c.opError("close", c.gone)
	}
	now, in := time.Now(), l.streams[1-c.index].segments
	unread := len(in) > 0 && !in[0].fin && !in[0].at.IsZero() && !in[0].at.After(now)
	if unread || reset {
		if !l.dead && !l.stalled {
			l.ends[1-c.index].reset(now.Add(l.latency()), syscall.ECONNRESET)
		}
	} else {
		c.fin()
	}
	c.closed, c.gone = true, why
	l.streams[1-c.index].segments = nil
	c.wake()
	return l.ends[1-c.index].closed, nil
}

// vanish is the end of a host without power: the other end hears nothing.
func (c *conn) vanish() {
	l := c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	c.closed, c.gone = true, errNoPower
	l.dead, l.silent = true, false
	c.wake()
	if other := l.ends[1-c.index]; l.streams[1-c.index].held > 0 {
		l.lose(other.index, time.Now())
	}
}

// back is when the other end's host has power again, and knows nothing of us.
func (c *conn) back() {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.why == syscall.ETIMEDOUT {
		c.reset(time.Now().Add(c.link.latency()), syscall.ECONNRESET)
	}
}

// SetDeadline implements [net.Conn].
func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (c *conn) SetReadDeadline(t time.Time) error { return c.deadline(&c.readUntil, c.readable, t) }

// SetWriteDeadline implements [net.Conn].
func (c *conn) SetWriteDeadline(t time.Time) error { return c.deadline(&c.writeUntil, c.writable, t) }

func (c *conn) deadline(which *time.Time, who signal, t time.Time) error {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.closed {
		return c.opError("set", c.gone)
	}
	*which = t
	who.notify()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}
