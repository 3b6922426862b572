package smtpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// Conn is one connection, as a Session sees it. Its methods may be called from
// the Session's own calls only.
type Conn struct {
	link
	server   *Server
	id       uint64
	reader   *smtp.Reader
	grammar  smtp.Grammar
	dialogue smtp.Dialogue
	session  Session
	tx       Transaction
	params   smtp.MailParams // of tx
	pending  smtp.Command    // read but not yet carried out

	ctx     context.Context
	end     context.CancelFunc
	peer    netip.AddrPort
	counted netip.Prefix // how the server counts this connection

	hello     string // the name that the client gave
	early     bool   // it talked before the greeting
	askedUTF8 bool   // by VRFY or EXPN: the reply to it may be in UTF-8
	proxied   []smtp.XClientAttr
	mechanism string // of the AUTH that succeeded
	secretive bool   // AUTH came last: a line that is no command may be a secret

	errors     int   // permanent refusals since the last accepted message
	messages   int   // transactions so far
	discarded  int64 // octets of text that were thrown away
	closing    bool  // nothing more is read
	unreadText bool  // the client is still sending, and nobody reads it
	fault      error // why the connection is at its end; nil: as it should be
}

func newConn(s *Server, nc net.Conn, id uint64) *Conn {
	return &Conn{link: link{nc: nc}, server: s, id: id}
}

// ID numbers the connection, as [Server.NextID] says; it is unique in its Server.
func (c *Conn) ID() uint64 { return c.id }

// RemoteAddr returns the client's address, as PROXY or XCLIENT told it if one
// of them did. It is not valid for connections that have no IP address.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.peer }

// LocalAddr returns the address that the client connected to.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// Hello returns the name that the client gave with HELO, EHLO or LHLO; "" if
// it gave none yet.
func (c *Conn) Hello() string { return c.hello }

// TLS returns the state of TLS, nil without it.
func (c *Conn) TLS() *tls.ConnectionState {
	if c.tls == nil {
		return nil
	}
	state := c.tls.ConnectionState()
	return &state
}

// Cut closes the connection at once, whatever is under way on it. Unlike other
// methods it may be called at any time, by anybody.
func (c *Conn) Cut() { c.cut() }

// Mechanism returns the SASL mechanism with which the client logged in; "" if
// it did not.
func (c *Conn) Mechanism() string { return c.mechanism }

// EarlyTalker reports whether the client talked before the greeting, which
// [Server.GreetDelay] finds out.
func (c *Conn) EarlyTalker() bool { return c.early }

// XClient returns what a trusted proxy said of its client with XCLIENT.
func (c *Conn) XClient() []smtp.XClientAttr { return c.proxied }

// Protocol returns the word that says in a Received field how a message came
// (RFC 3848; RFC 6531, 4.3): "SMTP", "ESMTPS", "UTF8LMTPSA" and the like.
func (c *Conn) Protocol() string {
	return message.Protocol{
		Extended: c.dialogue.Hello() != smtp.VerbHELO,
		LMTP:     c.dialogue.LMTP,
		TLS:      c.tls != nil,
		Auth:     c.mechanism != "",
		UTF8:     c.params.UTF8,
	}.String()
}

// serve carries a connection from its start to its end.
func (c *Conn) serve() {
	defer c.server.leave(c)
	defer func() { c.nc.Close() }() // TLS may have come in between
	defer c.endTrace()
	defer c.recovered()
	c.ctx, c.end = context.WithCancel(c.server.base)
	defer c.end()
	if l := c.server.limits.Session; l != none {
		c.endBy = time.Now().Add(l)
	}
	c.reader = smtp.NewReader((*incoming)(&c.link), &c.server.buffers)
	defer c.reader.Release()
	if c.identify() && c.open() {
		defer c.session.Close()
		defer c.abort()
		c.talk()
	}
	_ = c.flush() // the client may be gone
	if c.unreadText {
		c.linger()
	}
}

// linger gives the client a while to find our last reply. Were the connection
// closed at once, with octets unread, a reset would go out, and many systems
// throw away what came before one.
func (c *Conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.nc.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.nc, lingerSize)
}

// What linger waits for at the most.
const (
	lingerTime = 2 * time.Second
	lingerSize = 16 << 20
)

// recovered keeps one connection's panic from ending the others.
func (c *Conn) recovered() {
	p := recover()
	if p == nil {
		return
	}
	c.log(slog.LevelError, "panic in a session", "panic", p, "stack", string(debug.Stack()))
	c.bye(smtp.EnhancedCode{4, 3, 0}, "Local error in processing")
	_ = c.flush()
}

// talk carries out commands until the connection is at its end.
func (c *Conn) talk() {
	for !c.closing {
		cmd := c.next()
		if cmd == nil {
			return
		}
		c.carryOut(cmd)
	}
}

// next returns the next command that can be carried out; nil when the
// connection is at its end. Malformed commands are answered here.
func (c *Conn) next() smtp.Command {
	if cmd := c.pending; cmd != nil {
		c.pending = nil
		return cmd
	}
	for !c.closing {
		line, err := c.await()
		if err != nil {
			c.unread(err)
			continue
		}
		cmd, err := c.grammar.Parse(line)
		c.traceIn(cmd, line)
		switch {
		case isHTTP(cmd):
			c.bye(smtp.EnhancedCode{4, 7, 0}, "This is a mail server, and that was HTTP")
		case err != nil:
			c.malformed(cmd, err)
		default:
			return cmd
		}
	}
	return nil
}

// isHTTP reports whether a command is the first line of a request of HTTP. A
// web page can make its visitor's browser send one here, with commands of SMTP in
// its body: nothing behind it is listened to.
func isHTTP(cmd smtp.Command) bool {
	u, ok := cmd.(smtp.Unknown)
	if !ok || !strings.Contains(u.Args, "HTTP/") {
		return false
	}
	switch u.Name {
	case "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE":
		return true
	}
	return false
}

// await waits for a line of the client.
func (c *Conn) await() ([]byte, error) {
	now := time.Now()
	by := now.Add(week)
	if l := c.server.limits.Idle; l != none {
		by = now.Add(l)
	}
	if !c.endBy.IsZero() && c.endBy.Before(by) {
		by = c.endBy
	}
	if !c.beginWait(by, now) {
		return nil, errShutdown
	}
	line, err := c.reader.Line(smtp.MaxCommandLine)
	if c.endWait() && err != nil && os.IsTimeout(err) {
		return nil, errShutdown
	}
	return line, err
}

var errShutdown = errors.New("shutting down")

// unread answers what came in place of a readable line: a fault of the line, of
// the connection or of time.
func (c *Conn) unread(err error) {
	c.traceUnread(err)
	switch {
	case errors.Is(err, smtp.ErrLineTooLong):
		c.refuse(smtp.VerbUnknown, smtp.Replyf(smtp.CodeUnrecognized, smtp.EnhancedCode{5, 5, 2}, "Line is too long"))
	case errors.Is(err, smtp.ErrBareCR), errors.Is(err, smtp.ErrBareLF):
		c.refuse(smtp.VerbUnknown, smtp.Replyf(smtp.CodeUnrecognized, smtp.EnhancedCode{5, 5, 2},
			"%v: a line ends with CRLF, and has neither inside", err))
	case errors.Is(err, errShutdown):
		c.bye(smtp.EnhancedCode{4, 3, 2}, "Service is shutting down")
	case os.IsTimeout(err):
		c.bye(smtp.EnhancedCode{4, 4, 2}, "You took too long")
	case errors.Is(err, smtp.ErrFlood):
		c.bye(smtp.EnhancedCode{4, 7, 0}, "Too much nonsense")
	default:
		c.lost(err)
	}
}

// lost notes that the connection is gone.
func (c *Conn) lost(err error) {
	c.closing = true
	c.over(err)
	if err != io.EOF {
		c.log(slog.LevelInfo, "connection lost", "error", err)
	}
}

// malformed answers a command that could not be parsed.
func (c *Conn) malformed(cmd smtp.Command, err error) {
	if _, rcpt := cmd.(smtp.Rcpt); rcpt {
		c.dialogue.Tried()
	}
	c.refuse(cmd.Verb(), c.asReply(err))
	if _, bdat := cmd.(smtp.Bdat); bdat {
		// Nobody knows how many octets follow: they would be taken for commands.
		c.bye(smtp.EnhancedCode{4, 5, 0}, "Cannot tell the end of this chunk")
	}
}

// carryOut carries out a command, or refuses one that may not come now.
func (c *Conn) carryOut(cmd smtp.Command) {
	if bdat, ok := cmd.(smtp.Bdat); ok {
		c.bdat(bdat)
		return
	}
	if r := c.permit(cmd); r != nil {
		if _, rcpt := cmd.(smtp.Rcpt); rcpt {
			c.dialogue.Tried()
		}
		c.refuse(cmd.Verb(), r)
		return
	}
	switch cmd := cmd.(type) {
	case smtp.Hello:
		c.helloed(cmd)
	case smtp.Mail:
		c.mail(cmd)
	case smtp.Rcpt:
		c.rcpt(cmd)
	case smtp.Data:
		c.data()
	case smtp.Rset:
		c.abort()
		c.ok(smtp.VerbRSET, smtp.EnhancedCode{2, 0, 0}, "OK")
	case smtp.Noop:
		c.ok(smtp.VerbNOOP, smtp.EnhancedCode{2, 0, 0}, "OK")
	case smtp.Quit:
		c.abort()
		c.reply(smtp.VerbQUIT, smtp.Replyf(smtp.CodeClosing, smtp.EnhancedCode{2, 0, 0}, "closing connection"))
		c.closing = true
	case smtp.Vrfy:
		c.vrfy(cmd)
	case smtp.Expn:
		c.expn(cmd)
	case smtp.Help:
		c.help(cmd)
	case smtp.StartTLS:
		c.startTLS()
	case smtp.Auth:
		c.auth(cmd)
	case smtp.Etrn:
		c.etrn(cmd)
	case smtp.XClient:
		c.xclient(cmd)
	case smtp.Unknown:
		c.unknown(cmd)
	}
}

// permit says whether the command may be carried out now: by the order of the
// dialogue, and by what must come first.
func (c *Conn) permit(cmd smtp.Command) *smtp.Reply {
	if r := c.dialogue.Permit(cmd); r != nil {
		return r
	}
	switch cmd.(type) {
	case smtp.Mail, smtp.Vrfy, smtp.Expn, smtp.Etrn:
		if c.server.RequireAuth && c.mechanism == "" && (c.tls != nil || !c.server.RequireTLS) {
			return smtp.Replyf(smtp.CodeAuthRequired, smtp.EnhancedCode{5, 7, 0}, "Authentication required")
		}
	case smtp.Auth:
	case smtp.StartTLS, smtp.XClient:
		// Both forget what was said before (RFC 3207, 4.2), and a Session that
		// let somebody in cannot.
		if c.mechanism != "" {
			return smtp.Replyf(smtp.CodeBadSequence, smtp.EnhancedCode{5, 5, 1}, "Already authenticated")
		}
		return nil
	default:
		return nil
	}
	if c.server.RequireTLS && c.tls == nil {
		return smtp.Replyf(smtp.CodeAuthRequired, smtp.EnhancedCode{5, 7, 0}, "Must issue a STARTTLS command first")
	}
	return nil
}

// abort ends the transaction, if there is one, without a message.
func (c *Conn) abort() {
	if tx := c.endTransaction(); tx != nil {
		tx.Abort()
	}
}

// endTransaction forgets the transaction, and returns it if it has still to be told.
func (c *Conn) endTransaction() Transaction {
	tx := c.tx
	c.tx, c.params = nil, smtp.MailParams{}
	c.dialogue.EndTransaction()
	return tx
}

// unknown asks the Session about a verb that this package does not know.
func (c *Conn) unknown(cmd smtp.Unknown) {
	if s, ok := c.session.(Commander); ok {
		r, err := s.Command(c.ctx, cmd.Name, cmd.Args)
		if err != nil {
			r = c.asReply(err)
		}
		if r != nil {
			c.answer(smtp.VerbUnknown, r)
			return
		}
	}
	c.refuse(smtp.VerbUnknown, smtp.Replyf(smtp.CodeUnrecognized, smtp.EnhancedCode{5, 5, 1},
		"Command is not known; HELP lists those that are"))
}

func (c *Conn) log(level slog.Level, msg string, args ...any) {
	if c.server.log.Enabled(c.ctx, level) {
		c.server.log.Log(c.ctx, level, msg, append([]any{"session", c.id, "client", c.peer}, args...)...)
	}
}

// String names the connection in logs.
func (c *Conn) String() string { return fmt.Sprintf("session %d from %s", c.id, c.peer) }
