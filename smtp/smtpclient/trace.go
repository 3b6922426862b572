package smtpclient

import (
	"crypto/tls"
	"strings"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Trace is told what goes over the wire, as it happens. A nil function is
// silence. The functions are called by the goroutine that uses the connection,
// and hold it up while they run. Secrets are masked: "AUTH PLAIN ***".
type Trace struct {
	// Sent is told each line of a command, without CRLF, when it is put into
	// the next write.
	Sent func(at time.Time, line string)
	// Received is told each line of a reply, without CRLF.
	Received func(at time.Time, line string)
	// Text is told each piece of text that was written, in octets on the wire.
	Text func(at time.Time, octets int)
	// TLS is told when a handshake is done.
	TLS func(at time.Time, state tls.ConnectionState)
}

// tracer calls a Trace that may be nil.
type tracer struct{ t *Trace }

func (t tracer) sent(cmd smtp.Command, line []byte) {
	if t.t == nil || t.t.Sent == nil {
		return
	}
	if a, ok := cmd.(smtp.Auth); ok {
		t.t.Sent(time.Now(), maskAuth(a))
		return
	}
	t.t.Sent(time.Now(), string(line))
}

func maskAuth(a smtp.Auth) string {
	if a.HasInitial {
		return "AUTH " + a.Mechanism + " ***"
	}
	return "AUTH " + a.Mechanism
}

// secret traces a line of a SASL exchange.
func (t tracer) secret() {
	if t.t != nil && t.t.Sent != nil {
		t.t.Sent(time.Now(), "***")
	}
}

func (t tracer) received(r *smtp.Reply) {
	if t.t == nil || t.t.Received == nil {
		return
	}
	now := time.Now()
	for line := range strings.SplitSeq(strings.TrimSuffix(string(r.Append(nil, true)), "\r\n"), "\r\n") {
		t.t.Received(now, line)
	}
}

func (t tracer) wrote(octets int) {
	if t.t != nil && t.t.Text != nil {
		t.t.Text(time.Now(), octets)
	}
}

func (t tracer) tls(state tls.ConnectionState) {
	if t.t != nil && t.t.TLS != nil {
		t.t.TLS(time.Now(), state)
	}
}
