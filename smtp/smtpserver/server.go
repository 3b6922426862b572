package smtpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("smtpserver: server closed")

// Server answers connections. Set its fields before the first call of Serve
// and do not change them afterwards.
type Server struct {
	// Handler decides what becomes of connections. It must be set.
	Handler Handler

	// Hostname begins the greeting and the replies 220, 221 and 421; empty: the
	// system's name.
	Hostname string

	// LMTP makes the server speak LMTP (RFC 2033) and nothing else.
	LMTP bool

	// Strict refuses commands that RFC 5321 does not allow though old clients use
	// them; see [smtp.Grammar].
	Strict bool

	// TLS offers STARTTLS with this configuration; nil: it is not offered.
	// Without NextProtos of its own, a client that asks for protocols by ALPN
	// must ask for "smtp" (or "lmtp").
	TLS *tls.Config

	// ImplicitTLS begins every connection with TLS (RFC 8314, 3). TLS must be set.
	ImplicitTLS bool

	// RequireTLS refuses MAIL, VRFY, EXPN, ETRN and AUTH with 530 on a connection
	// without TLS. RequireAuth refuses MAIL, VRFY, EXPN and ETRN with 530 until
	// the client has logged in.
	RequireTLS  bool
	RequireAuth bool

	// PlaintextAuth offers mechanisms that show the password on connections without
	// TLS too.
	PlaintextAuth bool

	// Offer names extensions that work only if the Handler does its part, as this
	// one does: BINARYMIME, SMTPUTF8, DSN, DELIVERBY, FUTURERELEASE, MT-PRIORITY,
	// REQUIRETLS, PRDR. The server offers without being told what needs nothing of
	// the Handler (SIZE, 8BITMIME, PIPELINING, CHUNKING, ENHANCEDSTATUSCODES,
	// LIMITS, HELP), and STARTTLS, AUTH, VRFY, EXPN, ETRN and XCLIENT where a
	// field of the Server or a method of the Session stands behind them.
	Offer smtp.ExtensionSet

	// Withhold names extensions that are not offered, and are refused when they
	// are used all the same.
	Withhold smtp.ExtensionSet

	DeliverByMin time.Duration // DELIVERBY: shortest time in mode R; 0: none is stated
	HoldMax      time.Duration // FUTURERELEASE: longest hold; 0: 7 days
	Priorities   string        // MT-PRIORITY: name of the profile; "": none is stated

	// ProxyFrom lists the peers whose connections must begin with a header of
	// the PROXY protocol, version 1 or 2. Others cannot send one.
	ProxyFrom []netip.Prefix

	// XClientFrom lists the peers that may say XCLIENT.
	XClientFrom []netip.Prefix

	// GreetDelay is how long the server waits with its greeting for clients that
	// talk before it. One that does is told 554 and closed, unless EarlyTalkers
	// is set: then the Session finds it out by [Conn.EarlyTalker].
	GreetDelay   time.Duration
	EarlyTalkers bool

	Limits Limits
	Log    *slog.Logger // nil: silence

	// Trace makes the trace of a connection, when it is known who the client is and
	// nothing was said yet. It may call what a Session may. nil, here or as its
	// result, is silence.
	Trace func(c *Conn) *Trace

	// NextID numbers the connections; nil: 1, 2, 3 and so on. Servers that share one
	// have no connections of the same number, if it never returns one again. It is
	// called by one goroutine of the Server at a time, and with a lock held.
	NextID func() uint64

	once     sync.Once
	limits   Limits // with its defaults
	hostname string
	tls      *tls.Config
	log      *slog.Logger
	base     context.Context // ends with Close
	cancel   context.CancelFunc
	buffers  smtp.Buffers

	mu        sync.Mutex
	closing   bool
	listeners map[*net.Listener]struct{} // by the call of Serve: a listener need not be comparable
	conns     map[*Conn]struct{}
	byAddress map[netip.Prefix]int
	hurried   time.Time // when room was made last
	nextID    uint64
	sessions  sync.WaitGroup
}

func (s *Server) setUp() {
	s.once.Do(func() {
		s.limits = s.Limits.withDefaults()
		s.hostname = hostname(s.Hostname)
		s.log = s.Log
		if s.log == nil {
			s.log = slog.New(slog.DiscardHandler)
		}
		if s.TLS != nil {
			s.tls = s.TLS.Clone()
			if len(s.tls.NextProtos) == 0 {
				s.tls.NextProtos = []string{s.alpn()}
			}
		}
		s.base, s.cancel = context.WithCancel(context.Background())
		s.listeners = map[*net.Listener]struct{}{}
		s.conns = map[*Conn]struct{}{}
		s.byAddress = map[netip.Prefix]int{}
	})
}

func (s *Server) alpn() string {
	if s.LMTP {
		return "lmtp"
	}
	return "smtp"
}

// hostname returns a name that can stand in a greeting.
func hostname(name string) string {
	if name == "" {
		name, _ = os.Hostname()
	}
	if _, err := smtp.ParseDomain(name); err != nil {
		return "localhost"
	}
	return name
}

// ListenAndServe listens on a TCP address, "host:port", and serves it as Serve
// does. The context is for listening: what ends serving is Shutdown or Close.
func (s *Server) ListenAndServe(ctx context.Context, addr string) error {
	l, err := Listen(ctx, addr)
	if err != nil {
		return err
	}
	return s.Serve(l)
}

// Listen opens a TCP listener that suits Serve. Dead peers are found by the
// limits on time, so it does without keep-alive, which would cost each
// connection four system calls.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	return lc.Listen(ctx, "tcp", addr)
}

// Serve answers the connections of l until the server is shut down, and then
// returns [ErrServerClosed]. It closes l. Several listeners may be served at a
// time.
func (s *Server) Serve(l net.Listener) error {
	s.setUp()
	if err := s.check(); err != nil {
		l.Close()
		return err
	}
	if !s.track(&l) {
		l.Close()
		return ErrServerClosed
	}
	defer s.untrack(&l)
	in := s.proxied(l)
	for {
		nc, err := accept(in)
		if err != nil {
			if s.isClosing() {
				return ErrServerClosed
			}
			return err
		}
		c := s.admit(nc)
		if c == nil {
			nc.Close()
			continue
		}
		go c.serve()
	}
}

// check says what is wrong with the fields.
func (s *Server) check() error {
	switch {
	case s.Handler == nil:
		return errors.New("smtpserver: Server.Handler is nil")
	case s.ImplicitTLS && s.tls == nil:
		return errors.New("smtpserver: ImplicitTLS needs Server.TLS")
	}
	return nil
}

// ServeConn answers one connection that was accepted elsewhere, or made in
// memory for a test, and returns when it is at its end. It expects no header of
// the PROXY protocol. The error is [ErrServerClosed] if the server is shut down
// already, or says what is wrong with the server's fields; nc is closed in any
// case.
func (s *Server) ServeConn(nc net.Conn) error {
	s.setUp()
	if err := s.check(); err != nil {
		nc.Close()
		return err
	}
	c := s.admit(nc)
	if c == nil {
		nc.Close()
		return ErrServerClosed
	}
	c.serve()
	return nil
}

func (s *Server) track(l *net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l *net.Listener) {
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
	(*l).Close()
}
