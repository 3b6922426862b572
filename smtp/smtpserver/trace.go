package smtpserver

import (
	"bytes"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

// Trace shows what is said on a connection. A nil function is silence. Secrets
// are masked before they get here; the text of messages does not come by. The
// functions are called from the connection's own goroutine.
type Trace struct {
	In  func(c *Conn, line string) // a line from the client, without CRLF
	Out func(c *Conn, line string) // a line to the client, without CRLF
}

// traceIn shows a command; what follows the mechanism of AUTH is a secret.
func (c *Conn) traceIn(line []byte) {
	if c.server.Trace == nil || c.server.Trace.In == nil {
		return
	}
	s := string(line)
	words := strings.Fields(s)
	if len(words) > 2 && strings.EqualFold(words[0], smtp.VerbAUTH.String()) {
		s = words[0] + " " + words[1] + " ***"
	}
	c.server.Trace.In(c, s)
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
