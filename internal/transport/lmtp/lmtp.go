// Package lmtp is the transport to a mail store that speaks LMTP (RFC 2033), such
// as Dovecot: over TCP, or over a unix socket on this host. The store answers for
// each recipient by himself, after it has the text.
//
// The store writes Return-Path and Delivered-To; nothing is added here.
package lmtp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Options are of a [Transport].
type Options struct {
	// Address is "host:port", or the path of a unix socket, which begins with '/'.
	Address string
	// LocalName is our name, for LHLO.
	LocalName string
	// TLS is how much security is asked for over TCP; a unix socket has none. The
	// zero value asks for verified TLS.
	TLS       smtpclient.TLSPolicy
	TLSConfig *tls.Config
	// Auth, if set, logs in.
	Auth *smtpclient.Auth
	// Dial makes a connection; nil is that of [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Trace is asked who wants to hear of a connection; nil is silence.
	Trace func(host string, nc net.Conn) *smtpclient.Trace

	Timeouts smtpclient.Timeouts

	MaxRecipients int           // of one transaction; 0: 100
	MaxConns      int           // at a time; 0: 10. A delivery waits for one
	IdleTimeout   time.Duration // how long a connection is kept; 0: 10 seconds
	MaxMessages   int           // over one connection; 0: 100
}

// Transport delivers over LMTP, and keeps connections. It is made by [New].
type Transport struct {
	opts Options
	pool smtpclient.Pool
}

var _ transport.Transport = (*Transport)(nil)

// New makes a transport. Nothing is dialled yet.
func New(o Options) *Transport {
	network, policy := "tcp", o.TLS
	if strings.HasPrefix(o.Address, "/") {
		network, policy = "unix", smtpclient.TLSNever
	}
	t := &Transport{opts: o}
	t.pool.Dialer = &smtpclient.Dialer{
		LMTP: true, LocalName: o.LocalName, TLS: policy, TLSConfig: o.TLSConfig,
		Auth: o.Auth, NetDial: o.Dial, Timeouts: o.Timeouts, Trace: o.Trace,
	}
	t.pool.Network, t.pool.Address = network, o.Address
	t.pool.MaxConns, t.pool.MaxMessages = orElse(o.MaxConns, 10), o.MaxMessages
	t.pool.IdleTimeout = orElse(o.IdleTimeout, 10*time.Second)
	return t
}

func orElse[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Deliver implements [transport.Transport]. The fate of success is Delivered.
func (t *Transport) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	s := transport.NewSheet(&d)
	for {
		batch := s.Open()
		if len(batch) == 0 {
			return s.Outcomes()
		}
		batch = batch[:min(len(batch), orElse(t.opts.MaxRecipients, 100))]
		res, err := t.pool.Send(ctx, envelope(&d, batch), d.Content)
		t.record(ctx, s, batch, res, err)
	}
}

// Close ends the connections that are kept, when the deliveries under way are done
// or ctx ends.
func (t *Transport) Close(ctx context.Context) error { return t.pool.Close(ctx) }

func envelope(d *transport.Delivery, batch []int) smtpclient.Envelope {
	e := d.Envelope
	env := smtpclient.Envelope{From: e.From, Mail: smtp.MailParams{Body: e.Body, UTF8: e.UTF8}}
	for _, i := range batch {
		r := &e.To[d.Recipients[i]]
		env.To = append(env.To, smtpclient.Recipient{Path: r.To})
	}
	return env
}

// record gives outcomes to the recipients of a transaction. Those who were too many
// for it stay open, if there were others; when the store is away, nobody does.
func (t *Transport) record(ctx context.Context, s *transport.Sheet, batch []int, res *smtpclient.Result, err error) {
	begun := false
	for i := range res.Recipients {
		begun = begun || res.Recipients[i].Rcpt != nil && res.Recipients[i].Rcpt.Code.Positive()
	}
	for i, position := range batch {
		if o := &res.Recipients[i]; !begun || !transport.TooMany(o) {
			s.Decide(position, t.outcome(ctx, res, o, err))
		}
	}
	if err != nil && !begun {
		s.DecideAll(t.away(ctx, err))
	}
}

func (t *Transport) outcome(ctx context.Context, res *smtpclient.Result, o *smtpclient.Outcome, err error) mail.Outcome {
	if res.Mail == nil && err != nil {
		return t.away(ctx, err)
	}
	out := transport.Classify(ctx, o, mail.Delivered)
	out.Host, out.Encoded = t.opts.Address, res.Encoded && out.Fate == mail.Delivered
	return out
}

// away is the outcome of a store that did not get as far as MAIL.
func (t *Transport) away(ctx context.Context, err error) mail.Outcome {
	var at *smtpclient.ConnectionError
	if !errors.As(err, &at) && (ctx.Err() != nil || errors.Is(err, smtpclient.ErrPoolClosed)) {
		// It waited for a connection until there was no time left, or we close.
		return transport.Interrupted()
	}
	out := transport.Unreached(ctx, err)
	out.Host = t.opts.Address
	return out
}
