package house

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// Peer is a mail server of somebody else, that tells the ledger what it takes.
type Peer struct {
	Name    string // its host's name in replies, such as mx.sina.test
	Manners Manners
	Ledger  *Ledger
	Account *Account // nil: nobody follows
	// Server may set more of what the peer offers and limits; Handler and Hostname
	// are the peer's own.
	Server smtpserver.Server

	memory *memory
}

// Serve answers at an address of a host until stop is called, which waits for
// the sessions that are under way to be cut off.
func (p *Peer) Serve(ctx context.Context, h *simnet.Host, address string) (stop func(), err error) {
	l, err := h.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("peer %s: %w", p.Name, err)
	}
	if p.memory == nil { // it remembers what was before it was stopped
		p.memory = newMemory()
	}
	s := &smtpserver.Server{
		Handler: p, Hostname: p.Name, LMTP: p.Server.LMTP, TLS: p.Server.TLS, Offer: p.Server.Offer, Withhold: p.Server.Withhold, Limits: p.Server.Limits,
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	return func() {
		_ = s.Close() // cuts the sessions off
		<-served
	}, nil
}

// NewSession implements [smtpserver.Handler].
func (p *Peer) NewSession(ctx context.Context, c *smtpserver.Conn) (smtpserver.Session, error) {
	return &peerSession{p, c.RemoteAddr().Addr().Unmap()}, p.think(ctx)
}

// think takes the time that the peer takes before it answers.
func (p *Peer) think(ctx context.Context) error {
	if p.Manners.Slow == 0 {
		return nil
	}
	return rest(ctx, p.Manners.Slow)
}

func rest(ctx context.Context, long time.Duration) error {
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type peerSession struct {
	*Peer
	client netip.Addr
}

func (s *peerSession) Close() {}

// Mail implements [smtpserver.Session].
func (s *peerSession) Mail(ctx context.Context, from smtp.Path, _ *smtp.MailParams) (smtpserver.Transaction, error) {
	err := errors.Join(s.think(ctx), ctx.Err())
	if err == nil {
		err = s.memory.admit(s.client, s.Manners.PerMinute)
	}
	if err != nil {
		return nil, err
	}
	return &peerTransaction{peerSession: s, from: from.String()}, nil
}

type peerTransaction struct {
	*peerSession
	from string
	to   []string
}

func (t *peerTransaction) Abort() {}

// Rcpt implements [smtpserver.Transaction].
func (t *peerTransaction) Rcpt(ctx context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	if err := t.think(ctx); err != nil {
		return nil, err
	}
	if err := t.memory.judge(&t.Manners, t.client, t.from, to.String()); err != nil {
		return nil, err
	}
	t.to = append(t.to, to.String())
	return nil, nil
}

// Data implements [smtpserver.Transaction].
func (t *peerTransaction) Data(ctx context.Context, body io.Reader) (*smtp.Reply, error) {
	text, err := io.ReadAll(body)
	if err == nil {
		err = t.think(ctx)
	}
	if err != nil {
		return nil, err
	}
	switch t.Manners.Lie {
	case RefusesLate:
		return nil, unwanted
	case NeverAnswers:
		<-ctx.Done()
		return nil, ctx.Err()
	case KeepsAndDefers:
		if t.memory.firstLie(t.from + " " + Key(text)) {
			return nil, later
		}
	}
	t.memory.keep(&t.Manners, t.to)
	for _, to := range t.to {
		took := Taken{At: time.Now(), By: t.Name, From: t.from, To: to, Text: string(text)}
		t.Ledger.Take(took)
		if t.Account != nil {
			t.Account.took(took)
		}
	}
	return nil, nil
}
