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
	"time"

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
	rcpts    int
	pending  smtp.Command // read but not yet carried out

	ctx     context.Context
	end     context.CancelFunc
	began   time.Time
	peer    netip.AddrPort
	counted netip.Prefix // how the server counts this connection

	hello     string
	early     bool
	askedUTF8 bool // by VRFY or EXPN
	proxied   []smtp.XClientAttr
	mechanism string // of the AUTH that succeeded

	errors    int
	messages  int
	discarded int64
	closing   bool
}

func newConn(s *Server, nc net.Conn, id uint64) *Conn {
	return &Conn{link: link{nc: nc}, server: s, id: id}
}

// ID numbers the connection; it is unique in its Server.
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
	word := "ESMTP"
	switch {
	case c.dialogue.LMTP:
		word = "LMTP"
	case c.dialogue.Hello() == smtp.VerbHELO:
		return "SMTP"
	case c.params.UTF8:
		word = "SMTP"
	}
	if c.params.UTF8 {
		word = "UTF8" + word
	}
	if c.tls != nil {
		word += "S"
	}
	if c.mechanism != "" {
		word += "A"
	}
	return word
}

// serve is the life of a connection.
func (c *Conn) serve() {
	defer c.server.leave(c)
	defer c.nc.Close()
	defer c.recovered()
	c.ctx, c.end = context.WithCancel(c.server.base)
	defer c.end()
	c.began = time.Now()
	c.peer = addrPort(c.nc.RemoteAddr())
	c.reader = smtp.NewReader(&c.link, &c.server.buffers)
	defer c.reader.Release()
	if c.open() {
		defer c.session.Close()
		defer c.abort()
		c.talk()
	}
	_ = c.flush() // the client may be gone
}

// recovered keeps one connection's panic from ending the others.
func (c *Conn) recovered() {
	if p := recover(); p != nil {
		c.server.log.Error("panic in a session", "client", c.peer, "panic", p, "stack", string(debug.Stack()))
	}
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
		c.traceIn(line)
		cmd, err := c.grammar.Parse(line)
		if err == nil {
			return cmd
		}
		c.malformed(cmd, err)
	}
	return nil
}

// await waits for a line of the client.
func (c *Conn) await() ([]byte, error) {
	now := time.Now()
	by := now.Add(week)
	if l := c.server.limits.Idle; l != none {
		by = now.Add(l)
	}
	if l := c.server.limits.Session; l != none && by.After(c.began.Add(l)) {
		by = c.began.Add(l)
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

// unread answers a line that could not be read.
func (c *Conn) unread(err error) {
	switch {
	case errors.Is(err, smtp.ErrLineTooLong):
		c.refuse(smtp.VerbUnknown, smtp.Replyf(smtp.CodeUnrecognized, smtp.EnhancedCode{5, 5, 2}, "Line is too long"))
	case errors.Is(err, smtp.ErrBareCR), errors.Is(err, smtp.ErrBareLF):
		c.refuse(smtp.VerbUnknown, smtp.Replyf(smtp.CodeUnrecognized, smtp.EnhancedCode{5, 5, 2}, "%v: a line ends with CRLF, and has neither inside", err))
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

// carryOut sends a command to the file that is named for it.
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
		c.reply(smtp.VerbRSET, &smtp.Reply{Code: smtp.CodeOK, Enhanced: smtp.EnhancedCode{2, 0, 0}, Text: "OK"})
	case smtp.Noop:
		c.reply(smtp.VerbNOOP, &smtp.Reply{Code: smtp.CodeOK, Enhanced: smtp.EnhancedCode{2, 0, 0}, Text: "OK"})
	case smtp.Quit:
		c.abort()
		c.reply(smtp.VerbQUIT, &smtp.Reply{Code: smtp.CodeClosing, Enhanced: smtp.EnhancedCode{2, 0, 0}, Text: "closing connection"})
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

// endTransaction takes the transaction out of the connection.
func (c *Conn) endTransaction() Transaction {
	tx := c.tx
	c.tx, c.params, c.rcpts = nil, smtp.MailParams{}, 0
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
	c.refuse(smtp.VerbUnknown, smtp.Replyf(smtp.CodeUnrecognized, smtp.EnhancedCode{5, 5, 1}, "Command %q is not known; HELP lists those that are", cmd.Name))
}

// answer sends a reply of the Session, counting refusals.
func (c *Conn) answer(v smtp.Verb, r *smtp.Reply) {
	if r.Code.Positive() {
		c.reply(v, r)
		return
	}
	c.refuse(v, r)
}

// refuse sends a negative reply and counts it: a client that is refused too
// often is told 421.
func (c *Conn) refuse(v smtp.Verb, r *smtp.Reply) {
	c.reply(v, r)
	if r.Code == smtp.CodeUnavailable || c.closing {
		return
	}
	c.errors++
	if most := c.server.limits.Errors; most != none && c.errors >= most {
		c.bye(smtp.EnhancedCode{4, 7, 0}, "Too many errors")
	}
}

// bye tells the client 421 and ends the connection.
func (c *Conn) bye(e smtp.EnhancedCode, text string) {
	c.reply(smtp.VerbUnknown, &smtp.Reply{Code: smtp.CodeUnavailable, Enhanced: e, Text: text})
	c.closing = true
	c.log(slog.LevelInfo, "connection closed by us", "reason", text)
}

// reply writes a reply to a verb. One that may not answer the verb is a mistake
// of the Handler: the client is told 451, or 421 where not even that is allowed.
func (c *Conn) reply(v smtp.Verb, r *smtp.Reply) {
	if !v.Permits(r.Code) || !r.Code.Valid() {
		c.log(slog.LevelError, "reply is not legal for its command", "command", v, "reply", r)
		r = &smtp.Reply{Code: smtp.CodeLocalError, Enhanced: smtp.EnhancedCode{4, 3, 0}, Text: "Local error in processing"}
		if !v.Permits(r.Code) {
			r = &smtp.Reply{Code: smtp.CodeUnavailable, Enhanced: smtp.EnhancedCode{4, 3, 0}, Text: "Local error in processing"}
		}
	}
	full := smtp.Reply{Code: r.Code, Enhanced: r.Enhanced, Text: r.Text}
	switch r.Code {
	case smtp.CodeReady, smtp.CodeClosing, smtp.CodeUnavailable:
		full.Text = c.server.hostname + " " + r.Text // RFC 5321, 4.2.2
	}
	if !c.grammar.Offers.Has(smtp.ExtEnhancedStatusCodes) || c.dialogue.Hello() == smtp.VerbHELO || c.dialogue.Hello() == smtp.VerbUnknown {
		full.Enhanced = smtp.EnhancedCode{}
	}
	from := len(c.out)
	c.out = full.Append(c.out, c.params.UTF8 || c.askedUTF8)
	c.traceOut(r.Code, c.out[from:])
	if r.Code == smtp.CodeUnavailable {
		c.closing = true
	}
	if len(c.out) > flushSize {
		if err := c.flush(); err != nil {
			c.lost(err)
		}
	}
}

// asReply turns what a Handler returned into a reply.
func (c *Conn) asReply(err error) *smtp.Reply {
	var r *smtp.Reply
	if errors.As(err, &r) {
		return r
	}
	c.log(slog.LevelError, "error in the handler", "error", err)
	return &smtp.Reply{Code: smtp.CodeLocalError, Enhanced: smtp.EnhancedCode{4, 3, 0}, Text: "Local error in processing"}
}

func (c *Conn) log(level slog.Level, msg string, args ...any) {
	if c.server.log.Enabled(c.ctx, level) {
		c.server.log.Log(c.ctx, level, msg, append([]any{"session", c.id, "client", c.peer}, args...)...)
	}
}

// String names the connection in logs.
func (c *Conn) String() string { return fmt.Sprintf("session %d from %s", c.id, c.peer) }
