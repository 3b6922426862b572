package mbox

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
)

// write writes a message with fields on top of it.
func write(to io.Writer, e *mail.Envelope, fields string, text io.Reader) error {
	w := bufio.NewWriterSize(to, 64<<10)
	w.WriteString(fromLine(e, time.Now()))
	q := quoter{w: w}
	_, err := io.Copy(&q, transport.UnixText(io.MultiReader(strings.NewReader(fields), text)))
	if err != nil {
		return err
	}
	q.end()
	w.WriteByte('\n')
	return w.Flush()
}

// fromLine begins a message.
func fromLine(e *mail.Envelope, now time.Time) string {
	sender := "MAILER-DAEMON"
	if !e.From.IsNull() {
		sender = strings.Map(noSpace, e.From.String())
	}
	return "From " + sender + " " + now.UTC().Format(time.ANSIC) + "\n"
}

// noSpace keeps a sender one word, whatever it has between its quotes.
func noSpace(r rune) rune {
	if r <= ' ' {
		return '_'
	}
	return r
}

// quoter puts a ">" in front of lines that would begin a message. Lines come in
// any pieces; their beginnings are kept back until they are known.
type quoter struct {
	w     *bufio.Writer
	head  []byte // of the line, while it may yet be such a one: five octets at most
	known bool   // it is one or is none, and that was written
	part  bool   // in the middle of a line
}

const from = "From "

// Write implements [io.Writer].
func (q *quoter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after := rest, []byte(nil)
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line, after = rest[:i+1], rest[i+1:]
		}
		q.piece(line)
		rest = after
	}
	_, err := q.w.Write(nil) // what went wrong before
	return len(p), err
}

// piece writes a line, or a part of one.
func (q *quoter) piece(p []byte) {
	q.part = p[len(p)-1] != '\n'
	if !q.known {
		p = q.begin(p)
	}
	q.w.Write(p)
	q.known = q.known && q.part
}

// begin returns what is to be written of the beginning of a line, once it is
// known. A ">" is written as it comes, for one more may stand anywhere among them.
func (q *quoter) begin(p []byte) []byte {
	if len(q.head) == 0 {
		n := len(p) - len(bytes.TrimLeft(p, ">"))
		q.w.Write(p[:n])
		p = p[n:]
	}
	q.head = append(q.head, p...)
	if len(q.head) < len(from) && strings.HasPrefix(from, string(q.head)) {
		return nil
	}
	all := q.head
	if bytes.HasPrefix(all, []byte(from)) {
		q.w.WriteByte('>')
	}
	q.head, q.known = nil, true
	return all
}

// end writes what was kept back, and ends the line.
func (q *quoter) end() {
	q.w.Write(q.head)
	if q.part {
		q.w.WriteByte('\n')
	}
}

// source is a text that remembers its own fault, such as an end that comes before
// its size says so.
type source struct {
	r     io.Reader
	left  int64
	fault error
}

// Read implements [io.Reader].
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.left -= int64(n)
	switch {
	case err != nil && err != io.EOF:
		s.fault = err
	case err == io.EOF && s.left != 0:
		s.fault = io.ErrUnexpectedEOF
		return n, s.fault
	}
	return n, err
}
