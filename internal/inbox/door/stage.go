package door

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/scenario"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// errDropped says that a scenario has cut the connection.
var errDropped = errors.New("the connection was cut, as the scenario says")

// stage does what the scenarios say of an event. The error is what the client is told,
// or that it is told nothing any more.
func (s *session) stage(ctx context.Context, e scenario.Event, inboxes ...string) error {
	e.Client, e.Login = s.conn.RemoteAddr().Addr().String(), orLogin(e.Login, s.login)
	s.say, s.at = nil, e.Step
	v := s.door.o.Stage.ask(e, inboxes...)
	if v.Rule == 0 {
		return nil
	}
	s.talk.note("the scenario speaks: rule %d, at %s", v.Rule, e.Step)
	if v.Trickle > 0 {
		s.link().trickle.Store(int64(v.Trickle))
	}
	if e.Step == scenario.StartTLS {
		s.link().wrong.Store(v.Certificate)
	}
	if err := pause(ctx, v.Delay); err != nil {
		return err
	}
	if v.Drop {
		s.link().cut()
		return errDropped
	}
	switch {
	case v.Reply == nil:
	case v.Reply.Code.Positive():
		s.say = v.Reply
	default:
		return v.Reply
	}
	return nil
}

// Speak implements [smtpserver.Speaker]: it says what the scenario wants said where we accept.
func (s *session) Speak(v smtp.Verb, r *smtp.Reply) *smtp.Reply {
	if s.say == nil || s.say.Code/100 != r.Code/100 || !slices.Contains(s.at.Verbs(), v) {
		return nil
	}
	said := s.say
	s.say = nil
	return said
}

func orLogin(told, known string) string {
	if told != "" {
		return told
	}
	return known
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, long time.Duration) error {
	if long <= 0 {
		return nil
	}
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// link is the connection below the session; one that does nothing if it was not accepted
// by the door's own listener.
func (s *session) link() *conn {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	if c := s.door.conns[s.conn.RemoteAddr().String()]; c != nil {
		return c
	}
	return new(conn)
}

// certificateFor is what is to be wrong with the certificate of a handshake.
func (d *Door) certificateFor(hello *tls.ClientHelloInfo) scenario.Certificate {
	if hello.Conn == nil {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.conns[hello.Conn.RemoteAddr().String()]
	if c == nil {
		return ""
	}
	wrong, _ := c.wrong.Load().(scenario.Certificate)
	return wrong
}

// bad makes a certificate that a careful client refuses.
func bad(what scenario.Certificate, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		NotBefore:    now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	switch what {
	case scenario.Expired:
		template.NotAfter = now.Add(-24 * time.Hour)
	case scenario.WrongName:
		template.Subject.CommonName, template.DNSNames = "wrong.invalid", []string{"wrong.invalid"}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

var (
	_ smtpserver.TLSStarter = (*session)(nil)
	_ smtpserver.Speaker    = (*session)(nil)
)
