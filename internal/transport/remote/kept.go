package remote

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// key names the connections that can stand for each other: to one host, by its
// name and port, with the same need for security.
type key struct {
	host   string
	port   uint16
	policy smtpclient.TLSPolicy
	terms  string // Key of the demand
}

// link is a connection to a host.
type link struct {
	*smtpclient.Conn
	key   key
	addr  netip.AddrPort
	trace *smtpclient.Trace // nil: nobody wants to hear of it
	used  int               // messages so far
	timer *time.Timer
	// judged: it is told whether its host is verified.
	judged bool
}

// connections are those that are in use, which it counts, and those that are kept
// for the next message. The zero value has none.
type connections struct {
	mu     sync.Mutex
	rooms  map[key]*room
	closed bool
	ending context.Context // of good-byes
	end    context.CancelFunc
	wait   sync.WaitGroup // for good-byes
}

// room is the connections to one host. It goes when nobody is in it.
type room struct {
	slots chan struct{} // one for each that is in use
	users int           // with a slot, or waiting for one
	idle  []*link       // the one that waits longest comes first
}

// errNoSlot says that our own limit was in the way for as long as ctx lasted.
var errNoSlot = errors.New("all connections to the host are in use")

// enter waits until there may be one more connection to a host.
func (c *connections) enter(ctx context.Context, k key, most int) error {
	c.mu.Lock()
	r := c.room(k, most)
	r.users++
	c.mu.Unlock()
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.depart(k, r)
		return errNoSlot
	}
}

func (c *connections) room(k key, most int) *room {
	if c.rooms == nil {
		c.rooms = map[key]*room{}
		c.ending, c.end = context.WithCancel(context.Background())
	}
	r := c.rooms[k]
	if r == nil {
		r = &room{slots: make(chan struct{}, most)}
		c.rooms[k] = r
	}
	return r
}

// leave gives back what enter gave.
func (c *connections) leave(k key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[k]
	<-r.slots
	c.depart(k, r)
}

func (c *connections) depart(k key, r *room) {
	if r.users--; r.users == 0 && len(r.idle) == 0 {
		delete(c.rooms, k)
	}
}

// take returns a kept connection to one of the addresses, the one that was used
// last; nil if there is none. The caller has a slot.
func (c *connections) take(k key, addrs []netip.AddrPort) *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[k]
	for i := len(r.idle) - 1; i >= 0; i-- {
		if l := r.idle[i]; slices.Contains(addrs, l.addr) {
			r.idle = slices.Delete(r.idle, i, i+1)
			l.timer.Stop()
			return l
		}
	}
	return nil
}

// keep holds a connection for the next message, for a time. The caller still has
// its slot.
func (c *connections) keep(l *link, limit time.Duration) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.leaveLate(l)
		return
	}
	defer c.mu.Unlock()
	r := c.rooms[l.key]
	r.idle = append(r.idle, l)
	l.timer = time.AfterFunc(limit, func() { c.expire(l) })
}

func (c *connections) expire(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[l.key]
	if r == nil {
		return
	}
	if i := slices.Index(r.idle, l); i >= 0 {
		r.idle = slices.Delete(r.idle, i, i+1)
		c.part(l)
		if r.users == 0 && len(r.idle) == 0 {
			delete(c.rooms, l.key)
		}
	}
}

// retire ends a connection.
func (c *connections) retire(l *link) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.leaveLate(l)
		return
	}
	defer c.mu.Unlock()
	c.part(l)
}

// leaveLate says good-bye for a delivery that goes on after close, which waits for no
// more of them: so the delivery does.
func (c *connections) leaveLate(l *link) {
	if l.Err() != nil {
		_ = l.Close()
		return
	}
	_ = l.Quit(c.ending) // its time is bounded
}

// part says good-bye in the background, if there is somebody to say it to.
func (c *connections) part(l *link) {
	if l.Err() != nil {
		_ = l.Close()
		return
	}
	ending := c.ending
	c.wait.Go(func() { _ = l.Quit(ending) }) // its time is bounded, too
}

func (c *connections) close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	for k, r := range c.rooms {
		for _, l := range r.idle {
			l.timer.Stop()
			c.part(l)
		}
		if r.idle = nil; r.users == 0 {
			delete(c.rooms, k)
		}
	}
	end := c.end
	c.mu.Unlock()
	if end == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, end)
	c.wait.Wait()
	if !stop() {
		return context.Cause(ctx)
	}
	return nil
}
