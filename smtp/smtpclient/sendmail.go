package smtpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	netsmtp "net/smtp"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

// SendMail has the signature of the function in net/smtp, and does what that
// one does: it connects to addr ("host:port"), goes over to TLS if the server
// offers it (and then the certificate must be good), authenticates if a is not
// nil, and sends msg, whose lines may end with LF, from an address to others.
// It has the time limits of RFC 5321.
//
// Unlike that one it does not give up at the first recipient that is refused: the
// others get the message, and the error is a [*RecipientsError] that lists those
// who do not. A failing QUIT is no error.
func SendMail(addr string, a netsmtp.Auth, from string, to []string, msg []byte) error {
	env, err := envelopeOf(from, to)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(smtp.NewLines(bytes.NewReader(msg)))
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, err := dialLikeNetSMTP(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if a != nil {
		if err := c.authNetSMTP(a); err != nil {
			return err
		}
	}
	res, err := c.Send(ctx, env, Bytes(text))
	if err == nil {
		_ = c.Quit(ctx) // the message is sent, whatever comes of it
	}
	return res.asError()
}

// envelopeOf reads the addresses of a message.
func envelopeOf(from string, to []string) (Envelope, error) {
	var env Envelope
	var err error
	if from != "" {
		if env.From, err = smtp.ParseMailbox(from); err != nil {
			return env, fmt.Errorf("sender %q: %w", from, err)
		}
	}
	for _, s := range to {
		p, err := smtp.ParseMailbox(s)
		if err != nil {
			return env, fmt.Errorf("recipient %q: %w", s, err)
		}
		env.To = append(env.To, Recipient{Path: p})
	}
	if len(to) == 0 {
		return env, errors.New("no recipients")
	}
	return env, nil
}

// dialLikeNetSMTP connects, and goes over to TLS if the server offers it.
func dialLikeNetSMTP(ctx context.Context, addr string) (*Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	d := &Dialer{LocalName: "localhost", TLS: TLSNever}
	c, err := d.Dial(ctx, "tcp", addr)
	if err != nil || !c.ext.Has(smtp.ExtStartTLS) {
		return c, err
	}
	c.host, c.policy = host, TLSRequire
	if err := c.startTLS(); err != nil {
		return nil, c.fail(smtp.VerbSTARTTLS, err)
	}
	return c, nil
}

// authNetSMTP lets a mechanism of net/smtp run.
func (c *Conn) authNetSMTP(a netsmtp.Auth) error {
	if !c.ext.Has(smtp.ExtAuth) {
		return fmt.Errorf("AUTH: %w", ErrNotOffered)
	}
	return c.exchange(netSMTPAuth{a, &netsmtp.ServerInfo{Name: c.host, TLS: c.verified(), Auth: c.ext.Mechanisms}})
}

// netSMTPAuth makes a mechanism of net/smtp a sasl.Client.
type netSMTPAuth struct {
	auth   netsmtp.Auth
	server *netsmtp.ServerInfo
}

func (n netSMTPAuth) Start() (string, []byte, error) { return n.auth.Start(n.server) }

func (n netSMTPAuth) Next(challenge []byte) ([]byte, error) { return n.auth.Next(challenge, true) }

// RecipientsError lists the recipients who have not got a message, and why.
type RecipientsError struct {
	Outcomes []Outcome // none of them accepted
}

func (e *RecipientsError) Error() string {
	lines := make([]string, len(e.Outcomes))
	for i := range e.Outcomes {
		o := &e.Outcomes[i]
		lines[i] = fmt.Sprintf("%s: %v", o.To, o.Err)
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the error of each outcome.
func (e *RecipientsError) Unwrap() []error {
	errs := make([]error, len(e.Outcomes))
	for i := range e.Outcomes {
		errs[i] = e.Outcomes[i].Err
	}
	return errs
}

// asError returns a RecipientsError, or nil if every recipient was accepted.
func (r *Result) asError() error {
	var e RecipientsError
	for _, o := range r.Recipients {
		if o.Err != nil {
			e.Outcomes = append(e.Outcomes, o)
		}
	}
	if len(e.Outcomes) == 0 {
		return nil
	}
	return &e
}
