package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// sink is the host to which the house relays. It notes what it takes, and is moody until
// it is told to be honest: it puts off, and cuts, also between the final dot
// and its reply.
type sink struct {
	ledger *ledger
	at     net.Listener
	honest atomic.Bool

	mu     sync.Mutex
	chance *rand.Rand
	conns  map[netip.AddrPort]net.Conn
}

func newSink(t *testing.T, l *ledger, seed uint64) *sink {
	at, err := smtpserver.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{ledger: l, at: at, chance: rand.New(rand.NewPCG(seed, 2)), conns: map[netip.AddrPort]net.Conn{}}
	server := &smtpserver.Server{
		Handler: s, Hostname: "sink.example", Offer: smtp.SetOf(smtp.ExtBinaryMIME, smtp.ExtSMTPUTF8),
		Limits: smtpserver.Limits{PerAddress: -1},
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := server.Serve(tapped{at, s}); !errors.Is(err, smtpserver.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-over
	})
	return s
}

func (s *sink) port() int { return s.at.Addr().(*net.TCPAddr).Port }

// tapped is a listener whose connections the sink can cut.
type tapped struct {
	net.Listener
	sink *sink
}

func (l tapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.sink.mu.Lock()
		defer l.sink.mu.Unlock()
		l.sink.conns[plain(c.RemoteAddr().(*net.TCPAddr).AddrPort())] = c
	}
	return c, err
}

// plain is an address in one of its forms.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// NewSession implements [smtpserver.Handler].
func (s *sink) NewSession(_ context.Context, c *smtpserver.Conn) (smtpserver.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &sinkSession{sink: s, life: int(s.ledger.life.Load()), from: plain(c.RemoteAddr()), link: s.conns[plain(c.RemoteAddr())]}, nil
}

// mood reports whether something that happens once in n times happens now.
func (s *sink) mood(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.honest.Load() && s.chance.IntN(n) == 0
}

type sinkSession struct {
	sink *sink
	life int // of the house
	from netip.AddrPort
	link net.Conn
}

func (s *sinkSession) Close() {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	delete(s.sink.conns, s.from)
}

func (s *sinkSession) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	if s.sink.mood(40) {
		return nil, notNow
	}
	return &sinkTransaction{sinkSession: s}, nil
}

var (
	notNow = smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "Not now")
	never  = smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 7, 1}, "Never")
	errCut = errors.New("cut")
)

type sinkTransaction struct {
	*sinkSession
	to []smtp.Path
}

func (*sinkTransaction) Abort() {}

// Rcpt refuses nobody@sink.example for good.
func (t *sinkTransaction) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	switch {
	case to.Local() == "nobody":
		return nil, never
	case t.sink.mood(20):
		return nil, notNow
	}
	t.to = append(t.to, to)
	return nil, nil
}

// Data refuses all mail for strict.example at its end.
func (t *sinkTransaction) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	if t.sink.mood(30) {
		_, _ = io.CopyN(io.Discard, body, 500)
		return nil, t.cut()
	}
	text, err := io.ReadAll(body)
	switch {
	case err != nil:
		return nil, err
	case t.to[0].Domain() == "strict.example":
		return nil, never
	case t.sink.mood(30):
		return nil, notNow
	}
	sure := !t.sink.mood(20)
	for _, to := range t.to {
		t.sink.ledger.arrived(to.String(), text, copied{life: t.life, at: time.Now(), sure: sure})
	}
	if !sure {
		return nil, t.cut()
	}
	return nil, nil
}

// cut cuts the link in the place of an answer.
func (t *sinkTransaction) cut() error {
	_ = t.link.Close()
	return errCut
}
