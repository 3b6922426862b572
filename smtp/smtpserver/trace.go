package smtpserver

import (
	"bytes"
	"crypto/tls"
	"errors"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/posthouse/posthouse/smtp"
)

// Trace is told what happens on one connection, as it happens. A nil function is
// silence. Lines come without CRLF: secrets are masked ("AUTH PLAIN ***"),
// control characters are shown as '?', and a line is good for the time of the call
// only. The text of messages is counted and not shown. The functions are called by
// the connection's own goroutine, and hold it up while they run.
type Trace struct {
	// In is told each line from the client, or in parentheses what is wrong with one.
	In func(at time.Time, line []byte)
	// Out is told each line to the client, when it is put into the next write.
	Out func(at time.Time, line []byte)
	// Text is told each piece of text that came, in octets on the wire, and after a
	// whole text or chunk at the latest.
	Text func(at time.Time, octets int)
	// TLS is told when a handshake is done.
	TLS func(at time.Time, state tls.ConnectionState)
	// End is told when the connection is over, and why: nil after QUIT, io.EOF if
	// the client just went. It is called last, and once.
	End func(at time.Time, err error)
}

// beginTrace asks who wants to hear of the connection.
func (c *Conn) beginTrace() {
	if c.server.Trace != nil {
		c.trace = c.server.Trace(c)
	}
}

func (c *Conn) endTrace() {
	if c.trace != nil && c.trace.End != nil {
		c.trace.End(time.Now(), c.fault)
	}
}

// traceIn shows a command. What follows the mechanism of AUTH is a secret; so
// may be what is no command, when AUTH failed and the client did not notice.
func (c *Conn) traceIn(cmd smtp.Command, line []byte) {
	verb := cmd.Verb()
	secretive := c.secretive
	c.secretive = verb == smtp.VerbAUTH || secretive && verb == smtp.VerbUnknown
	if c.trace == nil || c.trace.In == nil {
		return
	}
	switch {
	case verb == smtp.VerbAUTH, verb == smtp.VerbUnknown:
		if words := bytes.Fields(line); len(words) > 1 && bytes.EqualFold(words[0], []byte("AUTH")) {
			line = maskAuth(words)
		} else if secretive {
			line = masked
		}
	}
	c.trace.In(time.Now(), shown(line))
}

// traceUnread shows that a line came that could not be read, and why.
func (c *Conn) traceUnread(err error) {
	if c.trace != nil && c.trace.In != nil && isLineFault(err) {
		c.trace.In(time.Now(), []byte("("+err.Error()+")"))
	}
}

func isLineFault(err error) bool {
	return errors.Is(err, smtp.ErrLineTooLong) || errors.Is(err, smtp.ErrBareCR) || errors.Is(err, smtp.ErrBareLF)
}

// maskAuth shows of an AUTH no more than its mechanism.
func maskAuth(words [][]byte) []byte {
	mechanism := words[1]
	if i := bytes.IndexFunc(mechanism, notOfMechanism); i >= 0 {
		mechanism = mechanism[:i]
	}
	shown := append([]byte("AUTH "), mechanism...)
	if len(words) > 2 || len(mechanism) < len(words[1]) {
		shown = append(shown, " ***"...)
	}
	return shown
}

// notOfMechanism reports whether r cannot be in the name of a mechanism (RFC 4422,
// 3.1).
func notOfMechanism(r rune) bool {
	return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// What stands for secrets, and what ends a line.
var (
	masked          = []byte("***")
	maskedChallenge = []byte("334 ***")
	crlf            = []byte("\r\n")
)

// shown is a line without what does not belong into a log. Nearly every line is as it
// came.
func shown(line []byte) []byte {
	for _, b := range line {
		if b < ' ' || b > '~' {
			return bytes.Map(printable, line)
		}
	}
	return line
}

// printable maps what does not belong into a log to '?'.
func printable(r rune) rune {
	if !unicode.IsPrint(r) || r == utf8.RuneError {
		return '?'
	}
	return r
}

func (c *Conn) traceInSecret() {
	if c.trace != nil && c.trace.In != nil {
		c.trace.In(time.Now(), masked)
	}
}

// traceOut shows the lines of a reply. A challenge may tell of the password.
func (c *Conn) traceOut(code smtp.Code, lines []byte) {
	if c.trace == nil || c.trace.Out == nil {
		return
	}
	now := time.Now()
	if code == smtp.CodeChallenge {
		c.trace.Out(now, maskedChallenge)
		return
	}
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, crlf)
		c.trace.Out(now, line)
	}
}

func (c *Conn) traceTLS() {
	if c.trace != nil && c.trace.TLS != nil {
		c.trace.TLS(time.Now(), c.tls.ConnectionState())
	}
}

// tellEvery is of how many octets of a text that goes on and on a [Trace] is told.
const tellEvery = 64 << 10

// toldText counts what was told of the text that is coming in.
type toldText struct {
	ahead int   // octets of it that were read before it began
	from  int64 // textClock.octets when it began, or when it was told of
}

// beginTold counts from here on. What was read ahead of the text belongs to it.
func (c *Conn) beginTold() { c.told = toldText{c.reader.Buffered(), c.text.octets} }

// endTold tells of what came, but for what was read ahead of the next command.
func (c *Conn) endTold() {
	c.traceText(int(c.text.octets-c.told.from) + c.told.ahead - c.reader.Buffered())
}

// tellText tells of a long text now and then. Whoever waits for more of it has taken
// what came before.
func (l *link) tellText() {
	if n := l.text.octets - l.told.from; n >= tellEvery {
		l.traceText(int(n) + l.told.ahead)
		l.told = toldText{from: l.text.octets}
	}
}

func (l *link) traceText(octets int) {
	if l.trace != nil && l.trace.Text != nil && octets > 0 {
		l.trace.Text(time.Now(), octets)
	}
}

// over notes why the connection is at its end; the first reason counts.
func (c *Conn) over(err error) {
	if c.fault == nil {
		c.fault = err
	}
}
