package intake

import (
	"context"
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// Listener returns the handler of a listener, whose name stands in the source of
// what comes in by it.
func (d *Desk) Listener(name string) smtpserver.Handler { return listener{d, name} }

type listener struct {
	desk *Desk
	name string
}

func (l listener) NewSession(ctx context.Context, c *smtpserver.Conn) (smtpserver.Session, error) {
	if err := l.desk.welcome(); err != nil {
		return nil, err
	}
	s := &session{desk: l.desk, name: l.name, conn: c}
	o := l.desk.opts.Load()
	if err := s.hear(ctx, o); err != nil {
		return nil, err
	}
	return s, nil
}

// session is one connection.
type session struct {
	desk *Desk
	name string
	conn *smtpserver.Conn

	hearing *policy.Hearing // nil: policy is not asked
	heard   netip.AddrPort  // the client whom it is about
}

var (
	_ smtpserver.Verifier = (*session)(nil)
	_ smtpserver.Expander = (*session)(nil)
)

// Close implements [smtpserver.Session].
func (s *session) Close() {
	if s.hearing != nil {
		s.hearing.Close()
	}
}

// source is how the connection stands now.
func (s *session) source() mail.Source {
	return mail.Source{
		Listener: s.name, Client: s.conn.RemoteAddr(), Hello: s.conn.Hello(), Protocol: s.conn.Protocol(),
		TLS: tlsWords(s.conn.TLS()), Login: s.login(), Session: s.conn.ID(),
	}
}

// login is who has logged in, as a trusted proxy says.
func (s *session) login() string {
	for _, a := range s.conn.XClient() {
		if strings.EqualFold(a.Name, "LOGIN") && !strings.HasPrefix(a.Value, "[") {
			return a.Value
		}
	}
	return ""
}

func tlsWords(state *tls.ConnectionState) string {
	if state == nil {
		return ""
	}
	return tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
}

// trusts reports whether a client may use us as its relay.
func (o *Options) trusts(client netip.AddrPort) bool {
	a := client.Addr().Unmap()
	return slices.ContainsFunc(o.RelayFrom, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Mail implements [smtpserver.Session].
func (s *session) Mail(ctx context.Context, from smtp.Path, params *smtp.MailParams) (smtpserver.Transaction, error) {
	o := s.desk.opts.Load()
	v := &policy.Visit{Source: s.source(), From: from}
	t := &transaction{desk: s.desk, o: o, visit: v, params: *params}
	t.relay = v.Source.Login != "" || o.trusts(v.Source.Client)
	if err := s.open(ctx, t); err != nil {
		return nil, o.refuse(v, smtp.VerbMAIL, smtp.Path{}, err)
	}
	return t, nil
}

// Verify implements [smtpserver.Verifier]: nil, and so 252, for strangers.
func (s *session) Verify(ctx context.Context, user string) (*smtp.Reply, error) {
	o := s.desk.opts.Load()
	if o.trusts(s.conn.RemoteAddr()) {
		return directory.Verify(ctx, o.Directory, user)
	}
	return nil, nil
}

// Expand implements [smtpserver.Expander]: nil, and so 252, for strangers.
func (s *session) Expand(ctx context.Context, list string) (*smtp.Reply, error) {
	o := s.desk.opts.Load()
	if o.trusts(s.conn.RemoteAddr()) {
		return directory.Expand(ctx, o.Directory, list)
	}
	return nil, nil
}
