package smtpclient

import (
	"bytes"
	"crypto/tls"
	"sync"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Trace is told what goes over the wire of one connection, as it happens. A nil
// function is silence. Lines come without CRLF: secrets are masked ("AUTH PLAIN
// ***"), and a line is good for the time of the call only. The text of messages is
// counted and not shown. The functions are called by the goroutine that uses the
// connection, and hold it up while they run.
type Trace struct {
	// Sent is told each line of a command, when it is put into the next write.
	Sent func(at time.Time, line []byte)
	// Received is told each line of a reply.
	Received func(at time.Time, line []byte)
	// Text is told each piece of text that was written, in octets on the wire.
	Text func(at time.Time, octets int)
	// TLS is told when a handshake is done.
	TLS func(at time.Time, state tls.ConnectionState)
	// End is told when the connection is over, and why: nil after QUIT and Close. It
	// is called once, by whoever ended the connection.
	End func(at time.Time, err error)
}

// tracer calls a Trace that may be nil.
type tracer struct {
	t    *Trace
	line []byte // memory for a reply
	over sync.Once
}

// masked and maskedChallenge stand for secrets.
var (
	masked          = []byte("***")
	maskedChallenge = []byte("334 ***")
	crlf            = []byte("\r\n")
)

func (t *tracer) sent(cmd smtp.Command, line []byte) {
	if t.t == nil || t.t.Sent == nil {
		return
	}
	if a, ok := cmd.(smtp.Auth); ok {
		line = maskAuth(a)
	}
	t.t.Sent(time.Now(), line)
}

func maskAuth(a smtp.Auth) []byte {
	if a.HasInitial {
		return []byte("AUTH " + a.Mechanism + " ***")
	}
	return []byte("AUTH " + a.Mechanism)
}

// secret traces a line of a SASL exchange.
func (t *tracer) secret() {
	if t.t != nil && t.t.Sent != nil {
		t.t.Sent(time.Now(), masked)
	}
}

// received traces a reply. A challenge may tell of the password.
func (t *tracer) received(r *smtp.Reply) {
	if t.t == nil || t.t.Received == nil {
		return
	}
	now := time.Now()
	if r.Code == smtp.CodeChallenge {
		t.t.Received(now, maskedChallenge)
		return
	}
	t.line = r.Append(t.line[:0], true)
	for lines := t.line; len(lines) > 0; {
		var line []byte
		line, lines, _ = bytes.Cut(lines, crlf)
		t.t.Received(now, line)
	}
}

func (t *tracer) wrote(octets int) {
	if t.t != nil && t.t.Text != nil {
		t.t.Text(time.Now(), octets)
	}
}

func (t *tracer) tls(state tls.ConnectionState) {
	if t.t != nil && t.t.TLS != nil {
		t.t.TLS(time.Now(), state)
	}
}

func (t *tracer) end(err error) {
	if t.t != nil && t.t.End != nil {
		t.over.Do(func() { t.t.End(time.Now(), err) })
	}
}
