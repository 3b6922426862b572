package milter

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
)

// Options set up a [Milter]. A zero field has the default that is given.
type Options struct {
	Name     string // in the journal; needed
	Network  string // "tcp" or "unix"; needed
	Address  string // needed
	Hostname string // ours; needed
	// Dial makes connections; nil is that of [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Listeners are those whose mail it hears of; nil: all.
	Listeners []string

	// Limits on time. Each is that of one answer; a program that says that it is at work has up
	// to four times as long.
	Connect time.Duration // to connect, and to agree on what is spoken; default 10 s
	Command time.Duration // each stage before the message; default 30 s
	Content time.Duration // each field, and each piece of the body; default 1 min
	End     time.Duration // the end of the message; default 5 min

	// Failure is what becomes of mail if the program has no answer, or none that makes sense.
	Failure policy.Action
	Origin  mail.Origin // of the setting that says so

	BodySize int64 // octets of a body that it puts in the place of another; default 50 MiB
}

// Milter is a program that is asked. It is a [policy.Check]. Make one with [New]; it is
// to be closed.
type Milter struct {
	opts Options

	mu     sync.Mutex
	idle   []kept // the one that was used last at the end
	closed bool
}

var _ policy.Check = (*Milter)(nil)

// kept is a connection that waits for the next client.
type kept struct {
	link  *link
	since time.Time
}

// Bounds of what is kept.
const (
	maxIdle = 8
	maxRest = 20 * time.Second
)

// New makes one. It does no I/O.
func New(o Options) *Milter {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	for _, d := range []struct {
		to *time.Duration
		is time.Duration
	}{{&o.Connect, 10 * time.Second}, {&o.Command, 30 * time.Second}, {&o.Content, time.Minute}, {&o.End, 5 * time.Minute}} {
		if *d.to <= 0 {
			*d.to = d.is
		}
	}
	if o.BodySize <= 0 {
		o.BodySize = 50 << 20
	}
	return &Milter{opts: o}
}

// Name implements [policy.Check].
func (m *Milter) Name() string { return "milter " + m.opts.Name }

// Open implements [policy.Check].
func (m *Milter) Open(*policy.Visit) policy.Session { return &session{m: m} }

// Explain implements [policy.Explainer].
func (m *Milter) Explain() []policy.Line {
	return []policy.Line{{
		What:   "milter " + m.opts.Name + " at " + m.opts.Address + " hears of it, and may refuse or change it; if it does not answer: " + m.opts.Failure.String(),
		Origin: m.opts.Origin,
	}}
}

// take returns a connection that was kept, nil if there is none.
func (m *Milter) take() *link {
	m.mu.Lock()
	var old []kept
	var l *link
	for n := len(m.idle); n > 0 && l == nil; n-- {
		k := m.idle[n-1]
		m.idle = m.idle[:n-1]
		if time.Since(k.since) < maxRest {
			l = k.link
		} else {
			old = append(old, k)
		}
	}
	m.mu.Unlock()
	for _, k := range old {
		k.link.bye()
	}
	return l
}

// keep keeps a connection for another client, or ends it.
func (m *Milter) keep(l *link) {
	l.again = true
	m.mu.Lock()
	room := !m.closed && len(m.idle) < maxIdle
	if room {
		m.idle = append(m.idle, kept{l, time.Now()})
	}
	m.mu.Unlock()
	if !room {
		l.bye()
	}
}

// Close ends the connections that are kept. Sessions go on to their end.
func (m *Milter) Close() error {
	m.mu.Lock()
	m.closed = true
	all := m.idle
	m.idle = nil
	m.mu.Unlock()
	for _, k := range all {
		k.link.bye()
	}
	return nil
}
