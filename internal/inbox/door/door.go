// Package door takes mail in over SMTP straight into a test inbox: every recipient, and
// every login, is accepted, and a 250 after the final dot means that the message is in the inbox and
// can be asked for. On the way it plays scenarios: it misbehaves as it is told to.
//
//	d := door.New(door.Options{Store: store})
//	server := &smtpserver.Server{}
//	d.Fit(server)
//	err := server.Serve(d.Listener(l))
//
// A session passes through session.go and transaction.go; each step asks stage.go first
// whether a scenario has something to say. conn.go is the connection below it, which
// can be cut and slowed down, and dialogue.go remembers what was said.
package door

import (
	"crypto/tls"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// Options set up a [Door]. Store is needed.
type Options struct {
	Store    *inbox.Store
	By       inbox.By // what inboxes are told apart by
	Name     string   // the inbox of mail that says nothing; "" is [inbox.Default]
	Listener string   // the name of the listener, which stands in the source of messages
	Hostname string   // in Received fields
	Stage    *Stage   // of scenarios; nil: one of its own
	Log      *slog.Logger
}

// Door is who opens. Make one with [New]. It may be used by many goroutines.
type Door struct {
	o      Options
	coming atomic.Int64 // octets of texts that are held while they come in

	mu    sync.Mutex
	conns map[string]*conn // by the address of the client
	talks map[*smtpserver.Conn]*talk
}

// New makes a door.
func New(o Options) *Door {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stage == nil {
		o.Stage = new(Stage)
	}
	return &Door{o: o, conns: map[string]*conn{}, talks: map[*smtpserver.Conn]*talk{}}
}

// Stage is where the scenarios of the door are played.
func (d *Door) Stage() *Stage { return d.o.Stage }

// Fit sets the fields of a server that the door needs: Handler, Offer, PlaintextAuth (no
// password is asked for, a login only names an inbox), and the part of a trace. TLS, if it is
// set, must be set before.
func (d *Door) Fit(s *smtpserver.Server) {
	s.Handler = d
	s.PlaintextAuth = true
	s.Offer = smtp.SetOf(smtp.ExtBinaryMIME, smtp.ExtSMTPUTF8)
	if s.TLS != nil {
		s.TLS = d.certificates(s.TLS)
	}
	next := s.Trace
	s.Trace = func(c *smtpserver.Conn) *smtpserver.Trace {
		if next == nil {
			return d.trace(c, nil)
		}
		return d.trace(c, next(c))
	}
}

// certificates is a configuration that shows what a scenario wants.
func (d *Door) certificates(real *tls.Config) *tls.Config {
	c := real.Clone()
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		wrong := d.certificateFor(hello)
		if wrong == "" {
			return nil, nil // the right one
		}
		certificate, err := bad(wrong, time.Now())
		if err != nil {
			return nil, err
		}
		other := real.Clone()
		other.GetCertificate, other.Certificates = nil, []tls.Certificate{certificate}
		return other, nil
	}
	return c
}
