package smtpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Dialer makes connections to servers. The zero value connects by TCP, with
// the time limits of RFC 5321, and sends nothing but by verified TLS. A Dialer
// may be used by several goroutines, and must not be changed meanwhile.
type Dialer struct {
	// LocalName is the name of this host, for EHLO: a domain or an address
	// literal. "" is the literal of the connection's local address (RFC 5321,
	// 4.1.4), or "localhost" if it has none.
	LocalName string

	// TLS says how much security is asked for; the zero value is [TLSRequire].
	TLS TLSPolicy
	// TLSConfig holds the root certificates, the client's certificate and so on;
	// nil is an empty one. Its ServerName, if set, is the name that the server's
	// certificate must have, in place of the one that is dialled. With
	// InsecureSkipVerify its VerifyConnection alone is the judge of the
	// certificate (as DANE needs); without that function nobody is, and the
	// server counts as not verified.
	TLSConfig *tls.Config

	// NetDial makes the connection; nil is that of a [net.Dialer] without
	// keep-alive: every wait for the server has a limit of its own.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)

	// Timeouts bound the time of each stage.
	Timeouts Timeouts

	// Auth, if set, logs in after TLS. It is an error if that fails.
	Auth *Auth

	// LMTP speaks LMTP (RFC 2033) rather than SMTP.
	LMTP bool

	// PlainHELO says HELO at once, to speak as before RFC 1869: without any
	// extension, and so only with TLSNever or TLSImplicit.
	PlainHELO bool

	// XClient tells a server that trusts us of a client on whose behalf we
	// speak (Postfix XCLIENT). A server that does not offer it, or not all of
	// these attributes, is an error.
	XClient []smtp.XClientAttr

	// Refuse8Bit refuses a text that the server cannot take as it is, with
	// [ErrNeeds8BitMIME] or [ErrNeedsBinaryMIME]. Otherwise Send encodes such a
	// text in 7 bits.
	Refuse8Bit bool

	// SingleFlight sends a small message to a server that offers PIPELINING and
	// CHUNKING in one go: MAIL, RCPT and BDAT LAST. That saves a round trip,
	// though RFC 3030, 2, would have the client wait before BDAT; and a
	// connection that is lost at any time after it is an unknown outcome.
	SingleFlight bool

	// Trace makes the trace of a connection that was made to a server of that name
	// and over which nothing was said yet. nil, here or as its result, is silence.
	Trace func(host string, nc net.Conn) *Trace
}

// Timeouts bound how long each stage may take. Zero stands for the time given
// below, which is that of RFC 5321, 4.5.3.2, unless it says otherwise.
type Timeouts struct {
	Connect   time.Duration // TCP, and implicit TLS; 1 minute (not in the RFC)
	Greeting  time.Duration // the server's 220; 5 minutes
	Hello     time.Duration // EHLO, HELO or LHLO; 5 minutes
	TLS       time.Duration // STARTTLS and its handshake; 2 minutes (not in the RFC)
	Auth      time.Duration // each step of AUTH; 2 minutes (not in the RFC)
	Mail      time.Duration // MAIL; 5 minutes
	Rcpt      time.Duration // each RCPT; 5 minutes
	DataStart time.Duration // DATA until 354; 2 minutes
	Block     time.Duration // each write of text; 3 minutes
	DataEnd   time.Duration // the final dot or BDAT until its reply; 10 minutes
	Command   time.Duration // any other command; 5 minutes
	Quit      time.Duration // QUIT until 221; 10 seconds (not in the RFC: nothing depends on it)
}

// of returns the limit of a stage.
func (t *Timeouts) of(stage smtp.Verb) time.Duration {
	switch stage {
	case smtp.Greeting:
		return orElse(t.Greeting, 5*time.Minute)
	case smtp.VerbEHLO, smtp.VerbHELO, smtp.VerbLHLO:
		return orElse(t.Hello, 5*time.Minute)
	case smtp.VerbSTARTTLS:
		return orElse(t.TLS, 2*time.Minute)
	case smtp.VerbAUTH:
		return orElse(t.Auth, 2*time.Minute)
	case smtp.VerbMAIL:
		return orElse(t.Mail, 5*time.Minute)
	case smtp.VerbRCPT:
		return orElse(t.Rcpt, 5*time.Minute)
	case smtp.VerbDATA:
		return orElse(t.DataStart, 2*time.Minute)
	case smtp.Dot, smtp.VerbBDAT:
		return orElse(t.DataEnd, 10*time.Minute)
	case smtp.VerbQUIT:
		return orElse(t.Quit, 10*time.Second)
	}
	return orElse(t.Command, 5*time.Minute)
}

func (t *Timeouts) connect() time.Duration { return orElse(t.Connect, time.Minute) }
func (t *Timeouts) block() time.Duration   { return orElse(t.Block, 3*time.Minute) }

// orElse returns v if it is set, that is above zero, and otherwise the default.
func orElse[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Dial connects to address, "host:port" or the path of a unix socket, and
// gets as far as a server that is ready for MAIL. The error is a
// [*ConnectionError] that names the stage; an [*smtp.Reply] in it is the
// server's refusal.
//
// Under [TLSOpportunistic], a server that offers STARTTLS and then fails at the
// handshake is dialled once more, without TLS.
func (d *Dialer) Dial(ctx context.Context, network, address string) (*Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	c, err := d.connect(ctx, network, address, host, d.TLS)
	var broken *handshakeError
	if d.TLS == TLSOpportunistic && errors.As(err, &broken) && ctx.Err() == nil {
		c, err = d.connect(ctx, network, address, host, TLSNever)
		if c != nil {
			c.tlsErr = broken
		}
	}
	return c, err
}

func (d *Dialer) connect(ctx context.Context, network, address, host string, policy TLSPolicy) (*Conn, error) {
	limited, cancel := context.WithTimeout(ctx, d.Timeouts.connect())
	defer cancel()
	dial := d.NetDial
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	nc, err := dial(limited, network, address)
	if err != nil {
		return nil, &ConnectionError{Stage: smtp.VerbUnknown, Err: err}
	}
	return d.open(ctx, nc, host, policy)
}

// NewConn is like [Dialer.Dial] for a connection that was made already.
// host is the server's name, which its certificate has to bear. NewConn closes
// the connection if it returns an error.
func (d *Dialer) NewConn(ctx context.Context, nc net.Conn, host string) (*Conn, error) {
	return d.open(ctx, nc, host, d.TLS)
}

func (d *Dialer) open(ctx context.Context, nc net.Conn, host string, policy TLSPolicy) (*Conn, error) {
	c := newConn(d, nc, host, policy)
	defer c.under(ctx)()
	if err := c.prepare(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// prepare goes from a bare connection to a server that is ready for MAIL.
func (c *Conn) prepare() error {
	for _, step := range []func() error{c.implicitTLS, c.greet, c.hello, c.startTLS, c.xclient, c.login} {
		if err := step(); err != nil {
			return c.fail(smtp.VerbUnknown, err)
		}
	}
	return nil
}

// localName returns the name for EHLO.
func (c *Conn) localName() string {
	if c.d.LocalName != "" {
		return c.d.LocalName
	}
	if a, err := netip.ParseAddrPort(c.nc.LocalAddr().String()); err == nil {
		return smtp.FormatLiteral(a.Addr())
	}
	return "localhost"
}
