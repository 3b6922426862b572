package smtpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Conn is a connection to a server that has answered EHLO. It has one user at
// a time; only Close may be called meanwhile.
type Conn struct {
	d      *Dialer
	base   net.Conn // as it was made
	nc     net.Conn // base, or TLS over it
	host   string   // the server's name
	policy TLSPolicy
	r      *smtp.Reader
	trace  tracer

	ctx    context.Context // of the call under way
	out    []byte          // said, but not yet written
	late   error           // why a write failed; replies may still come
	early  bool            // the next reply was there before what it is to answer was said
	dead   error           // why the connection cannot be used any more
	secret string          // what AUTH said last, as it was on the wire
	proofs []string        // what AUTH proves who we are with: the password, the token
	text   []byte          // memory for the text of messages

	greeting *smtp.Reply
	ext      smtp.Extensions
	secure   bool  // by TLS
	tlsErr   error // why the server's certificate, or TLS, is no good

	open         bool                // a transaction may be open on the server: RSET comes first
	transactions int                 // so far
	domains      map[string]struct{} // of the recipients so far, for RCPTDOMAINMAX
	careful      bool                // no SingleFlight: the server may be gone
}

func newConn(d *Dialer, nc net.Conn, host string, policy TLSPolicy) *Conn {
	c := &Conn{
		d: d, base: nc, nc: nc, host: host, policy: policy,
		r: smtp.NewReader(nc, nil), ctx: context.Background(),
	}
	if d.Trace != nil {
		c.trace.t = d.Trace(host, nc)
	}
	return c
}

// Greeting returns what the server said when the connection was made.
func (c *Conn) Greeting() *smtp.Reply { return c.greeting }

// Extensions returns what the server offers now: its last answer to EHLO. It
// is empty after HELO.
func (c *Conn) Extensions() *smtp.Extensions { return &c.ext }

// TLS returns the state of TLS, nil without it. The error says why the server is
// not verified: its certificate is not good for its name, or STARTTLS failed. It
// is nil if TLS was never tried.
func (c *Conn) TLS() (*tls.ConnectionState, error) {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil, c.tlsErr
	}
	state := t.ConnectionState()
	return &state, c.tlsErr
}

// verified reports whether nobody but the server can read what we say.
func (c *Conn) verified() bool { return c.secure && c.tlsErr == nil }

// LocalAddr returns the local address of the connection.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr returns the server's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Err returns nil while the connection can be used, and then what ended it.
func (c *Conn) Err() error { return c.dead }

// Full reports whether the server takes no more transactions on this
// connection (MAILMAX of RFC 9422).
func (c *Conn) Full() bool {
	most := c.ext.Limits.MailMax
	return most > 0 && c.transactions >= most
}

// Close closes the connection without a word. [Conn.Quit] says good-bye.
func (c *Conn) Close() error {
	err := c.base.Close()
	c.trace.end(nil)
	return err
}

// under ties the connection to ctx until the function that it returns is called:
// when ctx ends, reads and writes fail at once.
func (c *Conn) under(ctx context.Context) func() {
	c.ctx = ctx
	if ctx.Done() == nil {
		return func() {}
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.base.SetDeadline(time.Unix(1, 0)) // long ago: reads and writes end at once
		close(fired)
	})
	return func() {
		if !stop() {
			<-fired // so that it cannot meet the next call's deadline
		}
		c.ctx = context.Background()
	}
}

// readWithin and writeWithin give the next reads or writes a time limit.
func (c *Conn) readWithin(d time.Duration) error {
	return c.limit(c.base.SetReadDeadline(time.Now().Add(d)))
}

func (c *Conn) writeWithin(d time.Duration) error {
	return c.limit(c.base.SetWriteDeadline(time.Now().Add(d)))
}

func (c *Conn) limit(err error) error {
	if err != nil {
		return err
	}
	// Whoever ended ctx may have set its deadline before ours.
	return c.ctx.Err()
}

// ConnectionError is why a connection cannot be used: it was never made, it
// broke, it took too long, or the server went out of the protocol. Stage is
// the verb whose reply was waited for.
type ConnectionError struct {
	Stage smtp.Verb
	Err   error
}

func (e *ConnectionError) Error() string {
	if stage := e.Stage.String(); stage != "" {
		return stage + ": " + e.Err.Error()
	}
	return e.Err.Error()
}

// Unwrap returns Err: what the network said, the context's error, or the
// server's reply.
func (e *ConnectionError) Unwrap() error { return e.Err }

// fail ends the connection, and says why from then on.
func (c *Conn) fail(stage smtp.Verb, err error) error {
	if c.dead != nil {
		return c.dead
	}
	if cause := context.Cause(c.ctx); cause != nil {
		err = cause
	}
	var named *ConnectionError
	if !errors.As(err, &named) {
		err = &ConnectionError{stage, err}
	}
	c.dead = err
	_ = c.base.Close()
	c.trace.end(err)
	return err
}
