package door

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// maxTalk is how many lines of a session are remembered.
const maxTalk = 1000

// talk is what was said in a session.
type talk struct {
	mu    sync.Mutex
	lines []inbox.Line
	told  int   // of lines, those that the messages so far have
	of    []key // messages that came, whose dialogue goes on
}

// key names a message.
type key struct {
	inbox string
	id    mail.ID
}

// add appends a line; of what is too long the middle is lost.
func (t *talk) add(at time.Time, who inbox.Who, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) < maxTalk {
		t.lines = append(t.lines, inbox.Line{At: at, Who: who, Text: text})
	}
}

func (t *talk) note(format string, args ...any) {
	t.add(time.Now(), inbox.Note, fmt.Sprintf(format, args...))
}

// soFar is what was said before now; what follows belongs to the messages of then.
func (t *talk) soFar() []inbox.Line {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told = len(t.lines)
	return append([]inbox.Line(nil), t.lines...)
}

// came says which messages came of it.
func (t *talk) came(messages []key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of = messages
}

// rest takes what was said since, and to which messages it belongs.
func (t *talk) rest() ([]inbox.Line, []key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines, of := append([]inbox.Line(nil), t.lines[min(t.told, len(t.lines)):]...), t.of
	t.of = nil
	return lines, of
}

// forget begins anew behind the greeting, so that a long session does not fill up.
func (t *talk) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) > maxTalk/2 {
		t.lines = append(t.lines[:0], t.lines[len(t.lines)-maxTalk/10:]...)
		t.told = len(t.lines)
	}
}

// trace remembers what is said on a connection, and passes it on to another trace, which
// may be nil.
func (d *Door) trace(c *smtpserver.Conn, next *smtpserver.Trace) *smtpserver.Trace {
	if next == nil {
		next = new(smtpserver.Trace)
	}
	t := new(talk)
	d.mu.Lock()
	d.talks[c] = t
	d.mu.Unlock()
	octets := 0
	return &smtpserver.Trace{
		In: func(at time.Time, line []byte) {
			t.add(at, inbox.Client, string(line))
			if next.In != nil {
				next.In(at, line)
			}
		},
		Out: func(at time.Time, line []byte) {
			if octets > 0 {
				t.add(at, inbox.Note, fmt.Sprintf("a text of %d octets", octets))
				octets = 0
			}
			t.add(at, inbox.Server, string(line))
			d.refused(c, string(line))
			if next.Out != nil {
				next.Out(at, line)
			}
		},
		Text: func(at time.Time, n int) {
			octets += n
			if next.Text != nil {
				next.Text(at, n)
			}
		},
		TLS: func(at time.Time, state tls.ConnectionState) {
			t.add(at, inbox.Note, tlsWords(&state))
			if next.TLS != nil {
				next.TLS(at, state)
			}
		},
		End: func(at time.Time, err error) {
			d.ended(c, t, at, err)
			if next.End != nil {
				next.End(at, err)
			}
		},
	}
}

// refused logs a reply by which something is refused: many clients keep the reason to
// themselves. The end of a session (421) is logged by the server.
func (d *Door) refused(c *smtpserver.Conn, line string) {
	if len(line) > 3 && line[3] == ' ' && (line[0] == '4' || line[0] == '5') && !strings.HasPrefix(line, smtp.CodeUnavailable.String()) {
		d.o.Log.Info("refused", "reply", line, "client", c.RemoteAddr().String(), "helo", c.Hello())
	}
}

// ended is the end of a session.
func (d *Door) ended(c *smtpserver.Conn, t *talk, at time.Time, err error) {
	if err != nil {
		t.add(at, inbox.Note, "the connection ended: "+err.Error())
	}
	d.goOn(t)
	d.mu.Lock()
	delete(d.talks, c)
	d.mu.Unlock()
}

// goOn writes down how the dialogue of messages went on.
func (d *Door) goOn(t *talk) {
	lines, of := t.rest()
	for _, m := range of {
		if err := d.o.Store.Continue(m.inbox, m.id, lines); err != nil {
			d.o.Log.Debug("the end of a dialogue is lost", "id", m.id, "err", err) // the message was deleted
		}
	}
}

func tlsWords(state *tls.ConnectionState) string {
	return tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
}
