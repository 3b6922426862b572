package smtpserver

import (
	"context"
	"io"

	"github.com/posthouse/posthouse/smtp"
)

// HandlerFunc is a Handler that accepts every envelope and is called with each
// message. It returns what [Transaction.Data] returns. For all else, such as
// refusing recipients, AUTH, or NOTIFY of RFC 3461, implement [Handler].
type HandlerFunc func(ctx context.Context, m *Message) (*smtp.Reply, error)

// Message is a message with its envelope.
type Message struct {
	Conn   *Conn
	From   smtp.Path
	Params smtp.MailParams
	To     []smtp.Path
	Body   io.Reader // see [Transaction.Data]
}

// NewSession implements [Handler].
func (f HandlerFunc) NewSession(_ context.Context, c *Conn) (Session, error) {
	return funcSession{f, c}, nil
}

type funcSession struct {
	f    HandlerFunc
	conn *Conn
}

func (s funcSession) Mail(_ context.Context, from smtp.Path, params *smtp.MailParams) (Transaction, error) {
	return &funcTransaction{s.f, Message{Conn: s.conn, From: from, Params: *params}}, nil
}

func (funcSession) Close() {}

type funcTransaction struct {
	f HandlerFunc
	m Message
}

func (t *funcTransaction) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	t.m.To = append(t.m.To, to)
	return nil, nil
}

func (t *funcTransaction) Data(ctx context.Context, body io.Reader) (*smtp.Reply, error) {
	t.m.Body = body
	return t.f(ctx, &t.m)
}

func (t *funcTransaction) Abort() {}
