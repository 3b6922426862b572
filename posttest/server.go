package posttest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/inbox/door"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// Options set up a [Server]. The zero value is safe.
type Options struct {
	// Timeout is how long Wait waits; default 10 s.
	Timeout time.Duration
	// StartTLS offers STARTTLS, with a certificate that CertPool trusts. Programs that use TLS
	// wherever it is offered must be told to trust it.
	StartTLS bool
	// ImplicitTLS begins every connection with TLS.
	ImplicitTLS bool
}

// Server takes mail in. Make one with [New]. It may be used by many goroutines.
type Server struct {
	o     Options
	addr  string
	store *inbox.Store
	door  *door.Door
	pool  *x509.CertPool
}

// New starts a server, which ends with the test.
func New(t testing.TB, options ...Options) *Server {
	t.Helper()
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	s := &Server{o: o, pool: x509.NewCertPool()}
	if err := s.start(t); err != nil {
		t.Fatalf("posttest: %v", err)
	}
	return s
}

func (s *Server) start(t testing.TB) (err error) {
	if s.store, err = inbox.Open(inbox.Options{}); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	s.door = door.New(door.Options{Store: s.store, Hostname: "localhost"})
	server := &smtpserver.Server{Hostname: "localhost", ImplicitTLS: s.o.ImplicitTLS}
	if s.o.StartTLS || s.o.ImplicitTLS {
		if server.TLS, err = s.certificate(time.Now()); err != nil {
			return err
		}
	}
	s.door.Fit(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.door.Listener(l)) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
		_ = s.store.Close()
	})
	return nil
}

// certificate makes one for the server, and trusts it.
func (s *Server) certificate(now time.Time) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "posttest"},
		DNSNames:     []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	s.pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, nil
}

// Addr is where the server listens: "127.0.0.1:PORT".
func (s *Server) Addr() string { return s.addr }

// CertPool trusts the certificate of the server, for "localhost" and 127.0.0.1. It is empty
// without TLS.
func (s *Server) CertPool() *x509.CertPool { return s.pool.Clone() }

// Wait returns the newest message that fits all of what is asked, or the next that
// comes. If none does in time the test ends, and is told what came instead.
func (s *Server) Wait(t testing.TB, want ...Want) *Message {
	t.Helper()
	return s.await(t, mail.ID{}, want)
}

// WaitAfter is Wait for a message that came later than another.
func (s *Server) WaitAfter(t testing.TB, earlier *Message, want ...Want) *Message {
	t.Helper()
	return s.await(t, earlier.id, want)
}

func (s *Server) await(t testing.TB, since mail.ID, want []Want) *Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.o.Timeout)
	defer cancel()
	m, err := s.store.Wait(ctx, "", query(want), since)
	if err != nil {
		t.Fatalf("posttest: no message %s came within %v; %s", words(want), s.o.Timeout, s.told())
	}
	return s.open(t, m)
}

// Messages are all messages that have come, the oldest first, 1,000 at most.
func (s *Server) Messages(t testing.TB) []*Message {
	t.Helper()
	page := s.store.List("", inbox.Query{}, mail.ID{}, 1000)
	all := make([]*Message, len(page.Messages))
	for i, m := range page.Messages {
		all[len(all)-1-i] = s.open(t, m)
	}
	return all
}

// None ends the test if a message has come that fits all of what is asked. It does not
// wait: have the program under test finish first.
func (s *Server) None(t testing.TB, want ...Want) {
	t.Helper()
	if p := s.store.List("", query(want), mail.ID{}, 1); p.Found > 0 {
		t.Fatalf("posttest: %d messages %s came, and none was to come; %s", p.Found, words(want), s.told())
	}
}

// Clear forgets all messages.
func (s *Server) Clear() { s.store.DeleteAll("", inbox.Query{}) }
