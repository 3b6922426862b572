package intake

import (
	"context"
	"errors"
	"net"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// FromSendmail is the mail.Source.Listener of what programs of this machine bring.
const FromSendmail = "sendmail"

// Local returns the handler of a listener that [Peers] made: programs of this
// machine submit mail there. Who they are the system has said, so they have logged
// in without a password: they may write to anybody, policy is not asked, and VRFY
// and EXPN are answered. A sender is not held against the login, which stands in
// the envelope and in the journal.
func (d *Desk) Local() smtpserver.Handler { return localListener{d} }

type localListener struct{ desk *Desk }

// errNoPeer is a mistake in the assembly.
var errNoPeer = errors.New("a connection without a user came to the handler for local programs")

func (l localListener) NewSession(_ context.Context, c *smtpserver.Conn) (smtpserver.Session, error) {
	if err := l.desk.welcome(); err != nil {
		return nil, err
	}
	peer, is := c.LocalAddr().(peerAddr)
	if !is {
		return nil, errNoPeer
	}
	return &localSession{session{desk: l.desk, name: FromSendmail, conn: c}, peer.login}, nil
}

// localSession is a connection of a program of this machine.
type localSession struct {
	session
	login string
}

var (
	_ smtpserver.Verifier = (*localSession)(nil)
	_ smtpserver.Expander = (*localSession)(nil)
)

// Mail implements [smtpserver.Session].
func (s *localSession) Mail(ctx context.Context, from smtp.Path, params *smtp.MailParams) (smtpserver.Transaction, error) {
	o := s.desk.opts.Load()
	v := &policy.Visit{Source: s.source(), From: from}
	v.Source.Login = s.login
	t := &transaction{desk: s.desk, o: o, visit: v, params: *params, relay: true, inside: true}
	if err := t.begin(ctx); err != nil {
		return nil, o.refuse(v, smtp.VerbMAIL, smtp.Path{}, err)
	}
	return t, nil
}

// Verify implements [smtpserver.Verifier].
func (s *localSession) Verify(ctx context.Context, user string) (*smtp.Reply, error) {
	return directory.Verify(ctx, s.desk.opts.Load().Directory, user)
}

// Expand implements [smtpserver.Expander].
func (s *localSession) Expand(ctx context.Context, list string) (*smtp.Reply, error) {
	return directory.Expand(ctx, s.desk.opts.Load().Directory, list)
}

// Peers returns a listener whose connections know their user, for [Desk.Local]. It
// is l, a unix socket, but that a connection whose user the system does not tell is
// closed.
func Peers(l net.Listener) net.Listener { return peers{l} }

type peers struct{ net.Listener }

func (p peers) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peerOf(c); err == nil {
			return peerConn{c, peerAddr{c.LocalAddr(), maildrop.Login(uid)}}, nil
		}
		_ = c.Close()
	}
}

// peerConn is a connection that knows its user. The address that the client has
// connected to tells, since that is what a session is shown.
type peerConn struct {
	net.Conn
	local peerAddr
}

func (c peerConn) LocalAddr() net.Addr { return c.local }

type peerAddr struct {
	net.Addr
	login string
}
