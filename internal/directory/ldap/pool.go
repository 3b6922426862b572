package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/posthouse/posthouse/internal/directory"
)

// Bounds of a pool.
const (
	atATime  = 16               // questions, each on a connection of its own
	kept     = 4                // connections that wait for the next question
	stale    = time.Minute      // after which they are not used any more
	maxTalk  = 1 << 20          // octets that a server says to one question
	enough   = 10 * time.Second // that a question waits for its turn
	maxQueue = 1024             // questions that wait
	grace    = time.Second      // after the end of a question's context, which should have ended it
)

// pool is the connections to a server.
type pool struct {
	opts  *Options
	slots chan struct{}

	mu      sync.Mutex
	idle    []*conn // the one used last is the last
	waiting int
	closed  bool
}

func newPool(o *Options) *pool { return &pool{opts: o, slots: make(chan struct{}, atATime)} }

// who a connection is bound as.
type who uint8

const (
	nobody  who = iota
	service     // that of the options
	unknown     // somebody whose password was tried
)

// conn is a connection. It belongs to one goroutine.
type conn struct {
	*goldap.Conn
	wire *wire
	as   who
	used time.Time

	broken bool // nothing more can be said
}

// heard takes what came of a request: what is no answer of the server breaks the
// connection.
func (c *conn) heard(err error) error {
	var said *goldap.Error
	if err != nil && (!errors.As(err, &said) || said.ResultCode >= goldap.ErrorNetwork) {
		c.broken = true
	}
	return err
}

// service binds as who may search.
func (c *conn) service(o *Options) error {
	want := service
	if o.User == "" {
		want = nobody
	}
	if c.as == want {
		return nil
	}
	c.as = unknown
	var err error
	if o.User == "" {
		err = c.heard(c.UnauthenticatedBind(""))
	} else {
		err = c.heard(c.Bind(o.User, o.Password))
	}
	if err == nil {
		c.as = want
	}
	return err
}

// use has a question asked. A connection that has waited may be dead by now: then
// another one is made.
func (p *pool) use(ctx context.Context, question func(c *conn) error) error {
	if err := p.enter(ctx); err != nil {
		return err
	}
	defer func() { <-p.slots }()
	for {
		c, err := p.take(), error(nil)
		old := c != nil
		if !old {
			if c, err = p.dial(ctx); err != nil {
				return err
			}
		}
		err = p.ask(ctx, c, question)
		if !old || !c.broken || ctx.Err() != nil {
			return err
		}
	}
}

// lastly is when a connection is given up whose context could not end it.
func lastly(ctx context.Context) time.Time {
	at, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	return at.Add(grace)
}

// enter waits for a turn.
func (p *pool) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	if !p.count(1) {
		return directory.ErrBusy
	}
	defer p.count(-1)
	timer := time.NewTimer(enough)
	defer timer.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return directory.ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) count(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting+n > maxQueue {
		return false
	}
	p.waiting += n
	return true
}

// take returns a connection that waits, nil if there is none.
func (p *pool) take() *conn {
	p.mu.Lock()
	var old []*conn
	defer func() {
		p.mu.Unlock()
		for _, c := range old {
			_ = c.Close()
		}
	}()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if time.Since(c.used) < stale && !c.IsClosing() {
			return c
		}
		old = append(old, c)
	}
	return nil
}

// ask asks on a connection, which is closed if the question did not come to its end.
func (p *pool) ask(ctx context.Context, c *conn, question func(c *conn) error) error {
	c.wire.begin(lastly(ctx))
	cut := context.AfterFunc(ctx, func() { _ = c.wire.Conn.Close() })
	err := question(c)
	if whole := cut(); !whole || c.broken || !p.keep(c) {
		_ = c.Close()
	}
	return err
}

// keep lets a connection wait for the next question, if there is room.
func (p *pool) keep(c *conn) bool {
	c.wire.begin(time.Time{})
	c.used = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= kept {
		return false
	}
	p.idle = append(p.idle, c)
	return true
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
}

// dial connects, and begins TLS.
func (p *pool) dial(ctx context.Context) (*conn, error) {
	raw, err := p.opts.Dial(ctx, p.opts.Network, p.opts.Address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // it would name the address again
		}
		return nil, err
	}
	w := &wire{Conn: raw}
	w.begin(lastly(ctx))
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	c := &conn{wire: w}
	if p.opts.TLS == nil || p.opts.StartTLS {
		c.Conn = goldap.NewConn(w, false)
	} else {
		t := tls.Client(w, p.opts.TLS)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		c.Conn = goldap.NewConn(t, true)
	}
	c.SetTimeout(p.opts.Timeout + grace)
	c.Start()
	if p.opts.StartTLS {
		if err := c.StartTLS(p.opts.TLS); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	return c, nil
}

// wire is a connection on which the server may say so much to a question.
type wire struct {
	net.Conn
	mu   sync.Mutex
	left int
}

var errTalk = errors.New("the server says too much")

// begin begins a question, which must be over at a time; zero: whenever.
func (w *wire) begin(over time.Time) {
	w.mu.Lock()
	w.left = maxTalk
	w.mu.Unlock()
	_ = w.SetDeadline(over)
}

// Read implements [net.Conn].
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left -= n; w.left < 0 && err == nil {
		return 0, errTalk
	}
	return n, err
}
