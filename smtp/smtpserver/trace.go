package smtpserver

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/posthouse/posthouse/smtp"
)

// Trace shows what is said on a connection. A nil function is silence. Secrets
// are masked before they get here, control characters are shown as '?', and the
// text of messages does not come by. The functions are called from the
// connection's own goroutine.
type Trace struct {
	In  func(c *Conn, line string) // a line from the client, without CRLF
	Out func(c *Conn, line string) // a line to the client, without CRLF
}

// traceIn shows a command. What follows the mechanism of AUTH is a secret; so
// may be what is no command, when AUTH failed and the client did not notice.
func (c *Conn) traceIn(cmd smtp.Command, line []byte) {
	verb := cmd.Verb()
	secretive := c.secretive
	c.secretive = verb == smtp.VerbAUTH || secretive && verb == smtp.VerbUnknown
	if c.server.Trace == nil || c.server.Trace.In == nil {
		return
	}
	switch words := bytes.Fields(line); {
	case len(words) > 1 && bytes.EqualFold(words[0], []byte("AUTH")):
		line = maskAuth(words)
	case verb == smtp.VerbUnknown && secretive:
		line = []byte("***")
	}
	c.server.Trace.In(c, strings.Map(printable, string(line)))
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

// notOfMechanism: RFC 4422, 3.1.
func notOfMechanism(r rune) bool {
	return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// printable maps what does not belong into a log to '?'.
func printable(r rune) rune {
	if !unicode.IsPrint(r) || r == utf8.RuneError {
		return '?'
	}
	return r
}

func (c *Conn) traceInSecret() {
	if c.server.Trace != nil && c.server.Trace.In != nil {
		c.server.Trace.In(c, "***")
	}
}

// traceOut shows the lines of a reply. A challenge may tell of the password.
func (c *Conn) traceOut(code smtp.Code, lines []byte) {
	if c.server.Trace == nil || c.server.Trace.Out == nil {
		return
	}
	if code == smtp.CodeChallenge {
		c.server.Trace.Out(c, "334 ***")
		return
	}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(lines, []byte("\r\n")), []byte("\r\n")) {
		c.server.Trace.Out(c, string(line))
	}
}
