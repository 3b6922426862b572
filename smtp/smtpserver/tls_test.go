package smtpserver_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// TestImplicitTLS: the connection begins with TLS, and STARTTLS is not offered.
func TestImplicitTLS(t *testing.T) {
	inWorld(t, &smtpserver.Server{TLS: withCertificate(), ImplicitTLS: true, RequireTLS: true}, func(w *world) {
		c := newCaller(t, w.dial(stranger))
		c.secure("smtp")
		c.hear(220)
		if text := c.ask("EHLO sohu.com", 250); strings.Contains(text, "STARTTLS") || !strings.Contains(text, "AUTH PLAIN LOGIN") {
			t.Errorf("EHLO tells %q", text)
		}
		c.ask("STARTTLS", 502)
		c.ask("MAIL FROM:<bob@sohu.com>", 250)
		c.ask("QUIT", 221)
		c.ended()
	})
}

// TestTLSIsClosedProperly: the client can tell an end from a cut, which is a
// close_notify (RFC 8446, 6.1).
func TestTLSIsClosedProperly(t *testing.T) {
	config := withCertificate()
	config.MaxVersion = tls.VersionTLS12 // which shows that a record is an alert
	inWorld(t, &smtpserver.Server{TLS: config}, func(w *world) {
		c := w.call()
		c.ask("EHLO sohu.com", 250)
		heard := &tap{Conn: c.conn}
		c.conn = heard
		c.startTLS()
		c.ask("QUIT", 221)
		c.ended()
		if i := bytes.LastIndex(heard.in, []byte{21, 3, 3}); i < 0 || i < len(heard.in)-64 {
			t.Errorf("TLS ends without an alert: % x", heard.in[max(0, len(heard.in)-64):])
		}
	})
}

// tap keeps what is read through it.
type tap struct {
	net.Conn
	in []byte
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.in = append(t.in, p[:n]...)
	return n, err
}

// TestALPN: a client that asks for protocols must ask for SMTP.
func TestALPN(t *testing.T) {
	for _, c := range []struct {
		protocols []string
		lmtp, ok  bool
	}{
		{nil, false, true},
		{[]string{"smtp"}, false, true},
		{[]string{"h2", "smtp"}, false, true},
		{[]string{"http/1.1", "h2"}, false, false},
		{[]string{"lmtp"}, true, true},
		{[]string{"smtp"}, true, false},
	} {
		inWorld(t, &smtpserver.Server{TLS: withCertificate(), ImplicitTLS: true, LMTP: c.lmtp}, func(w *world) {
			conn := w.dial(stranger)
			secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: c.protocols})
			if err := secured.Handshake(); (err == nil) != c.ok {
				t.Errorf("%q: %v", c.protocols, err)
			}
			_ = conn.Close()
			synctest.Wait()
		})
	}
}

// TestHandshakeTakesTooLong: a handshake that is not done in time ends the
// connection, and so does one that is nonsense.
func TestHandshakeTakesTooLong(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		for _, said := range []string{"", "\x16\x03\x01", "EHLO sohu.com\r\n"} {
			s := &smtpserver.Server{TLS: withCertificate(), ImplicitTLS: implicit}
			inWorld(t, s, func(w *world) {
				c := newCaller(t, w.dial(stranger))
				if !implicit {
					c.hear(220)
					c.ask("EHLO sohu.com", 250)
					c.ask("STARTTLS", 220)
				}
				synctest.Wait()
				began := time.Now()
				c.send(said)
				rest, _ := io.ReadAll(c.r)
				if took := time.Since(began); took > 30*time.Second || len(said) < 5 && took < 30*time.Second {
					t.Errorf("said %q: ended after %v with %q", said, took, rest)
				}
			})
		}
	}
}

// TestFullBeforeTLS: with implicit TLS, a server that is full does not do the
// work of a handshake.
func TestFullBeforeTLS(t *testing.T) {
	s := &smtpserver.Server{TLS: withCertificate(), ImplicitTLS: true}
	s.Limits.PerAddress = 1
	inWorld(t, s, func(w *world) {
		c := newCaller(t, w.dial(stranger))
		c.secure()
		c.hear(220)
		newCaller(t, w.dial(stranger)).ended()
	})
}

// TestXClientIsForgottenByTLS: the address is the peer's own again.
func TestXClientIsForgottenByTLS(t *testing.T) {
	s := &smtpserver.Server{Handler: &house{}, TLS: withCertificate()}
	if err := set(s, "xclient"); err != nil {
		t.Fatal(err)
	}
	inWorld(t, s, func(w *world) {
		c := w.call()
		c.ask("XCLIENT ADDR=192.0.2.1", 220)
		c.ask("EHLO sohu.com", 250)
		c.startTLS()
		if text := c.ask("XWHERE", 250); !strings.HasPrefix(text, stranger) {
			t.Error(text)
		}
	})
}

// TestProtocol: the word for the Received field (RFC 3848; RFC 6531, 4.3).
func TestProtocol(t *testing.T) {
	for _, c := range []struct {
		lmtp, tls, auth, utf8, helo bool
		want                        string
	}{
		{want: "ESMTP"},
		{helo: true, want: "SMTP"},
		{helo: true, tls: true, want: "SMTP"},
		{tls: true, want: "ESMTPS"},
		{auth: true, want: "ESMTPA"},
		{tls: true, auth: true, want: "ESMTPSA"},
		{utf8: true, want: "UTF8SMTP"},
		{utf8: true, tls: true, want: "UTF8SMTPS"},
		{utf8: true, auth: true, want: "UTF8SMTPA"},
		{utf8: true, tls: true, auth: true, want: "UTF8SMTPSA"},
		{lmtp: true, want: "LMTP"},
		{lmtp: true, tls: true, want: "LMTPS"},
		{lmtp: true, auth: true, want: "LMTPA"},
		{lmtp: true, tls: true, auth: true, want: "LMTPSA"},
		{lmtp: true, utf8: true, want: "UTF8LMTP"},
		{lmtp: true, utf8: true, tls: true, want: "UTF8LMTPS"},
		{lmtp: true, utf8: true, auth: true, want: "UTF8LMTPA"},
		{lmtp: true, utf8: true, tls: true, auth: true, want: "UTF8LMTPSA"},
	} {
		s := &smtpserver.Server{Handler: &house{}, TLS: withCertificate(), LMTP: c.lmtp, PlaintextAuth: true}
		if err := set(s, "offer=SMTPUTF8"); err != nil {
			t.Fatal(err)
		}
		inWorld(t, s, func(w *world) {
			hello, mail := "EHLO sohu.com", "MAIL FROM:<bob@sohu.com>"
			switch {
			case c.lmtp:
				hello = "LHLO sohu.com"
			case c.helo:
				hello = "HELO sohu.com"
			}
			client := w.call()
			client.ask(hello, 250)
			if c.tls {
				client.startTLS()
				client.ask(hello, 250)
			}
			if c.auth {
				client.ask("AUTH PLAIN AGJvYgBzZWNyZXQ=", 235)
			}
			if c.utf8 {
				mail = "MAIL FROM:<小波@sohu.com> SMTPUTF8"
			}
			client.say(mail, "RCPT TO:<alice@sina.com>", "BDAT 0 LAST")
			client.hear(250, 250, 250)
			if got := w.house.taken()[0].protocol; got != c.want {
				t.Errorf("%+v: %s", c, got)
			}
		})
	}
}
