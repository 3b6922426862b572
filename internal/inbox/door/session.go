package door

import (
	"context"

	"github.com/emersion/go-sasl"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/scenario"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// NewSession implements [smtpserver.Handler].
func (d *Door) NewSession(ctx context.Context, c *smtpserver.Conn) (smtpserver.Session, error) {
	s := &session{door: d, conn: c, talk: new(talk)}
	d.mu.Lock()
	if t := d.talks[c]; t != nil {
		s.talk = t
	}
	d.mu.Unlock()
	if err := s.stage(ctx, scenario.Event{Step: scenario.Connect}); err != nil {
		return nil, err
	}
	return s, nil
}

// session is one connection.
type session struct {
	door  *Door
	conn  *smtpserver.Conn
	talk  *talk
	login string // who has logged in

	at  scenario.Step // the last one
	say *smtp.Reply   // at which this is to be said where we accept; nil: nothing is
}

// Close implements [smtpserver.Session].
func (s *session) Close() {}

// Hello implements [smtpserver.HelloHandler].
func (s *session) Hello(ctx context.Context, _ smtp.Hello) error {
	return s.stage(ctx, scenario.Event{Step: scenario.Helo}, s.inbox()...)
}

// StartTLS implements [smtpserver.TLSStarter].
func (s *session) StartTLS(ctx context.Context) error {
	return s.stage(ctx, scenario.Event{Step: scenario.StartTLS}, s.inbox()...)
}

// inbox is that of who has logged in, if inboxes are told apart by that.
func (s *session) inbox() []string {
	if s.login != "" && s.door.o.By&inbox.ByLogin != 0 {
		return []string{inbox.Fold(s.login)}
	}
	return nil
}

// Mechanisms implements [smtpserver.Authenticator].
func (s *session) Mechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Authenticate implements [smtpserver.Authenticator]: whoever logs in is let in, and
// no password is looked at.
func (s *session) Authenticate(ctx context.Context, mechanism string) (smtpserver.SASL, error) {
	if mechanism == sasl.Plain {
		return sasl.NewPlainServer(func(_, name, _ string) error { return s.loggedIn(ctx, name) }), nil
	}
	return &loginExchange{in: func(name string) error { return s.loggedIn(ctx, name) }}, nil
}

func (s *session) loggedIn(ctx context.Context, name string) error {
	if err := s.stage(ctx, scenario.Event{Step: scenario.Auth, Login: name}, inbox.Fold(name)); err != nil {
		return err
	}
	s.login = name
	return nil
}

// loginExchange is LOGIN (draft-murchison-sasl-login-00).
type loginExchange struct {
	asked int
	name  string
	in    func(name string) error
}

// Next implements [smtpserver.SASL].
func (l *loginExchange) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil && l.asked == 0 {
		l.asked = 1 // the name came along with AUTH
	}
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.name = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.in(l.name)
}

// source is how the connection stands now.
func (s *session) source() mail.Source {
	source := mail.Source{
		Listener: s.door.o.Listener, Client: s.conn.RemoteAddr(), Hello: s.conn.Hello(), Protocol: s.conn.Protocol(), Login: s.login,
	}
	if state := s.conn.TLS(); state != nil {
		source.TLS = tlsWords(state)
	}
	return source
}

// Mail implements [smtpserver.Session].
func (s *session) Mail(ctx context.Context, from smtp.Path, _ *smtp.MailParams) (smtpserver.Transaction, error) {
	s.door.goOn(s.talk)
	s.talk.forget()
	if err := s.stage(ctx, scenario.Event{Step: scenario.Mail, From: from.String()}, s.inbox()...); err != nil {
		return nil, err
	}
	return &transaction{session: s, from: from}, nil
}
