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
	began   time.Time
	peer    netip.AddrPort
	counted netip.Prefix // how the server counts this connection

	hello     string
	early     bool
	askedUTF8 bool // by VRFY or EXPN
	proxied   []smtp.XClientAttr
	mechanism string // of the AUTH that succeeded
	secretive bool   // AUTH came last: what is no command may be a secret

	errors     int
	messages   int
	discarded  int64
	closing    bool
	unreadText bool // the client is still sending, and nobody reads it
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
	defer func() { c.nc.Close() }() // TLS may have come in between
	defer c.recovered()
	c.ctx, c.end = context.WithCancel(c.server.base)
	defer c.end()
	c.began = time.Now()
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
		c.ok(smtp.VerbRSET, smtp.EnhancedCode{2, 0, 0}, "OK")
	case smtp.Noop:
		c.ok(smtp.VerbNOOP, smtp.EnhancedCode{2, 0, 0}, "OK")
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

// endTransaction takes the transaction out of the connection.
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
	c.refuse(smtp.VerbUnknown, smtp.Replyf(smtp.CodeUnrecognized, smtp.EnhancedCode{5, 5, 1}, "Command is not known; HELP lists those that are"))
}

// answer sends a reply of the Session, and counts it if it is a refusal for
// good: a client is not to blame for our full disk. It reports whether the client
// was told yes.
func (c *Conn) answer(v smtp.Verb, r *smtp.Reply) bool {
	yes := c.reply(v, r)
	if !yes && r.Code.Permanent() {
		c.refused()
	}
	return yes
}

// refuse sends a negative reply and counts it.
func (c *Conn) refuse(v smtp.Verb, r *smtp.Reply) { c.answer(v, r) }

// refused counts a refusal: a client that is refused too often is told 421.
func (c *Conn) refused() {
	if c.closing {
		return
	}
	c.errors++
	if most := c.server.limits.Errors; most != none && c.errors >= most {
		c.bye(smtp.EnhancedCode{4, 7, 0}, "Too many errors")
	}
}

// bye tells the client 421 and ends the connection, unless it is ended already.
func (c *Conn) bye(e smtp.EnhancedCode, text string) {
	if c.closing {
		return
	}
	c.reply(smtp.VerbUnknown, &smtp.Reply{Code: smtp.CodeUnavailable, Enhanced: e, Text: text})
	c.closing = true
	c.log(slog.LevelInfo, "connection closed by us", "reason", text)
}

// ok tells the client 250.
func (c *Conn) ok(v smtp.Verb, e smtp.EnhancedCode, text string) {
	c.reply(v, &smtp.Reply{Code: smtp.CodeOK, Enhanced: e, Text: text})
}

// reply writes a reply to a verb and reports whether it is a positive one.
func (c *Conn) reply(v smtp.Verb, r *smtp.Reply) bool {
	if !v.Permits(r.Code) || !r.Code.Valid() {
		r = c.illegal(v, r)
	}
	full := smtp.Reply{Code: r.Code, Enhanced: r.Enhanced, Text: r.Text}
	switch r.Code {
	case smtp.CodeReady, smtp.CodeClosing, smtp.CodeUnavailable:
		full.Text = strings.TrimSpace(c.server.hostname + " " + r.Text) // RFC 5321, 4.2.2
	}
	if !c.enhances(r) {
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
	return r.Code.Positive()
}

// illegal stands in for a reply that may not answer the verb, a mistake of the
// Handler: the client is told 451, or 421 where not even that is allowed.
func (c *Conn) illegal(v smtp.Verb, r *smtp.Reply) *smtp.Reply {
	c.log(slog.LevelError, "reply is not legal for its command", "command", v, "reply", r.Error())
	if v.Permits(smtp.CodeLocalError) {
		return localError(smtp.CodeLocalError)
	}
	return localError(smtp.CodeUnavailable)
}

// enhances reports whether the reply has its enhanced code with it: after EHLO
// or LHLO, and of the same class as its code (RFC 2034, 4).
func (c *Conn) enhances(r *smtp.Reply) bool {
	switch c.dialogue.Hello() {
	case smtp.VerbHELO, smtp.VerbUnknown:
		return false
	}
	return r.Enhanced[0] == int(r.Code)/100 && c.grammar.Offers.Has(smtp.ExtEnhancedStatusCodes)
}

// asReply turns an error of a Handler into the refusal that the client is told.
// A reply that refuses nothing is as much of a mistake as any other error.
func (c *Conn) asReply(err error) *smtp.Reply {
	if r := refusal(err); r != nil {
		return r
	}
	c.log(slog.LevelError, "error in the handler", "error", err)
	return localError(smtp.CodeLocalError)
}

// refusal returns the negative reply in err; nil: there is none.
func refusal(err error) *smtp.Reply {
	var r *smtp.Reply
	if errors.As(err, &r) && r != nil && !r.Code.Positive() {
		return r
	}
	return nil
}

func localError(code smtp.Code) *smtp.Reply {
	return &smtp.Reply{Code: code, Enhanced: smtp.EnhancedCode{4, 3, 0}, Text: "Local error in processing"}
}

func (c *Conn) log(level slog.Level, msg string, args ...any) {
	if c.server.log.Enabled(c.ctx, level) {
		c.server.log.Log(c.ctx, level, msg, append([]any{"session", c.id, "client", c.peer}, args...)...)
	}
}

// String names the connection in logs.
func (c *Conn) String() string { return fmt.Sprintf("session %d from %s", c.id, c.peer) }
