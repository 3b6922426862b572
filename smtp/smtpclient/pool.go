package smtpclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Pool keeps connections to one server and sends messages over them. It may be
// used by any number of goroutines. Its fields must not be changed after the
// first Send.
type Pool struct {
	Dialer  *Dialer // nil is the zero Dialer
	Network string  // "" is "tcp"
	Address string  // "host:port"

	MaxConns    int           // connections at a time; 0: 4. Send waits for one.
	MaxIdle     int           // connections kept for later; 0: MaxConns
	IdleTimeout time.Duration // how long they are kept; 0: 30 seconds
	MaxMessages int           // messages over one connection; 0: 100 (and MAILMAX of RFC 9422)

	mu       sync.Mutex
	started  bool
	slots    chan struct{} // one for each connection in use
	closing  chan struct{}
	closed   bool
	ending   context.Context // of the good-byes, and of dialling
	end      context.CancelFunc
	idle     []idleConn // the one that waits longest comes first
	busy     map[*Conn]struct{}
	sweeping bool
	wait     sync.WaitGroup // for messages under way, good-byes and the sweep
}

type idleConn struct {
	c     *Conn
	since time.Time
}

// ErrPoolClosed says that the pool was closed.
var ErrPoolClosed = errors.New("pool is closed")

// Send hands a message to the server, like [Conn.Send], over a connection that
// is idle or made for it.
//
// If an idle connection turns out to be gone before the server has answered
// MAIL, nothing was accepted, and the message is sent over a new one. Other
// failures are the caller's; the error says only why there was no connection
// or how it ended, and the Result says what is known of each recipient.
func (p *Pool) Send(ctx context.Context, env Envelope, body Body) (*Result, error) {
	if err := p.enter(ctx); err != nil {
		return unsent(env, err)
	}
	defer p.leave()
	if c := p.take(); c != nil {
		c.careful = true
		res, err := c.Send(ctx, env, body)
		p.give(c)
		if !stale(res, err) || ctx.Err() != nil {
			return res, err
		}
	}
	c, err := p.dial(ctx)
	if err != nil {
		return unsent(env, err)
	}
	res, err := c.Send(ctx, env, body)
	p.give(c)
	return res, err
}

// unsent is the result of a message for which there was no connection.
func unsent(env Envelope, err error) (*Result, error) {
	t := newTransaction(nil, &env, nil)
	t.lost(err)
	return t.res, err
}

// stale reports whether a connection ended before the server took up the
// message: it closed the connection while that was idle, or says 421 now.
func stale(r *Result, err error) bool {
	return err != nil && (r.Mail == nil || r.Mail.Code == smtp.CodeUnavailable)
}

// enter waits until the caller may use a connection; leave ends that.
func (p *Pool) enter(ctx context.Context) error {
	p.mu.Lock()
	p.start()
	if p.closed {
		p.mu.Unlock()
		return ErrPoolClosed
	}
	p.wait.Add(1)
	p.mu.Unlock()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		p.wait.Done()
		return context.Cause(ctx)
	case <-p.closing:
		p.wait.Done()
		return ErrPoolClosed
	}
}

func (p *Pool) leave() {
	<-p.slots
	p.wait.Done()
}

// start makes what a zero Pool lacks. The lock is held.
func (p *Pool) start() {
	if p.started {
		return
	}
	p.started = true
	p.slots = make(chan struct{}, p.maxConns())
	p.closing = make(chan struct{})
	p.ending, p.end = context.WithCancel(context.Background())
	p.busy = make(map[*Conn]struct{})
}

func (p *Pool) maxConns() int { return orElse(p.MaxConns, 4) }

// take returns the connection that was used last, nil if none is idle.
func (p *Pool) take() *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1].c
	p.idle[n-1] = idleConn{}
	p.idle = p.idle[:n-1]
	p.busy[c] = struct{}{}
	return c
}

func (p *Pool) dial(ctx context.Context) (*Conn, error) {
	d, network := p.Dialer, p.Network
	if d == nil {
		d = new(Dialer)
	}
	if network == "" {
		network = "tcp"
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.ending, func() { cancel(ErrPoolClosed) })()
	c, err := d.Dial(ctx, network, p.Address)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending.Err() != nil {
		_ = c.Close()
	}
	p.busy[c] = struct{}{}
	return c, nil
}

// give takes a connection back: to keep it, or to end it.
func (p *Pool) give(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, c)
	switch {
	case c.Err() != nil:
		_ = c.Close() // it is closed already; nothing is sent
	case p.closed, c.Full(),
		c.transactions >= orElse(p.MaxMessages, 100),
		len(p.idle) >= orElse(p.MaxIdle, p.maxConns()):
		p.part(c)
	default:
		p.idle = append(p.idle, idleConn{c, time.Now()})
		if !p.sweeping {
			p.sweeping = true
			p.wait.Go(p.sweep)
		}
	}
}

// part says good-bye in the background. The lock is held.
func (p *Pool) part(c *Conn) {
	p.busy[c] = struct{}{}
	p.wait.Go(func() {
		_ = c.Quit(p.ending) // its time is bounded, too
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.busy, c)
	})
}

// sweep ends connections that were idle for too long, until none is idle.
func (p *Pool) sweep() {
	for {
		next, more := p.partExpired()
		if !more {
			return
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-p.closing:
			timer.Stop()
		}
	}
}

// partExpired ends the connections that were idle for too long. It returns how long
// it takes until the next one expires, and whether there is one.
func (p *Pool) partExpired() (next time.Duration, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := orElse(p.IdleTimeout, 30*time.Second)
	for len(p.idle) > 0 {
		left := limit - time.Since(p.idle[0].since)
		if left > 0 && !p.closed {
			return left, true
		}
		p.part(p.idle[0].c)
		p.idle = append(p.idle[:0], p.idle[1:]...)
	}
	p.sweeping = false
	return 0, false
}

// Close waits until the messages under way are sent, ends all connections with
// QUIT, and returns when every goroutine of the pool has ended. When ctx ends
// it breaks the connections off and returns its error.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	p.start()
	if !p.closed {
		p.closed = true
		close(p.closing)
	}
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, p.breakOff)
	p.wait.Wait()
	p.end()
	if !stop() {
		return context.Cause(ctx)
	}
	return nil
}

// breakOff closes every connection that is in use.
func (p *Pool) breakOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	for c := range p.busy {
		_ = c.Close() // of the socket: no words, no wait
	}
}
