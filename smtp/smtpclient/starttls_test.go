package smtpclient_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// certificate makes one for a name, good at the bubble's time, and the pool
// that trusts it.
func certificate(t testing.TB, name string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// TestTLSPolicies: each policy against each kind of server.
func TestTLSPolicies(t *testing.T) {
	type outcome struct {
		connected, secure, verified bool
		heard                       string // by the server, in all its connections
	}
	for _, c := range []struct {
		name   string
		policy smtpclient.TLSPolicy
		server string // what is particular about it
		want   outcome
	}{
		{"require", smtpclient.TLSRequire, "good", outcome{true, true, true, "EHLO STARTTLS EHLO"}},
		{"require, wrong name", smtpclient.TLSRequire, "wrong name", outcome{heard: "EHLO STARTTLS"}},
		{"require, not offered", smtpclient.TLSRequire, "not offered", outcome{heard: "EHLO"}},
		{"require, refused", smtpclient.TLSRequire, "refused", outcome{heard: "EHLO STARTTLS"}},
		{"require, no EHLO", smtpclient.TLSRequire, "no EHLO", outcome{heard: "EHLO HELO"}},
		{"require, broken", smtpclient.TLSRequire, "broken", outcome{heard: "EHLO STARTTLS"}},
		{"opportunistic", smtpclient.TLSOpportunistic, "good", outcome{true, true, true, "EHLO STARTTLS EHLO"}},
		{"opportunistic, wrong name", smtpclient.TLSOpportunistic, "wrong name", outcome{true, true, false, "EHLO STARTTLS EHLO"}},
		{"opportunistic, not offered", smtpclient.TLSOpportunistic, "not offered", outcome{true, false, false, "EHLO"}},
		{"opportunistic, refused", smtpclient.TLSOpportunistic, "refused", outcome{true, false, false, "EHLO STARTTLS"}},
		{"opportunistic, broken", smtpclient.TLSOpportunistic, "broken", outcome{true, false, false, "EHLO STARTTLS EHLO"}},
		{"implicit", smtpclient.TLSImplicit, "implicit", outcome{true, true, true, "EHLO"}},
		{"implicit, wrong name", smtpclient.TLSImplicit, "implicit, wrong name", outcome{}},
		{"never", smtpclient.TLSNever, "good", outcome{true, false, false, "EHLO"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				name := "mx.test"
				if strings.HasSuffix(c.server, "wrong name") {
					name = "other.test"
				}
				s := &fake{offers: []string{"STARTTLS"}, replies: map[string]string{"STARTTLS": "220 go\r\n"}}
				var roots *x509.CertPool
				s.tls, roots = certificate(t, name)
				s.implicit = strings.HasPrefix(c.server, "implicit")
				switch c.server {
				case "not offered":
					s.offers = nil
				case "refused":
					s.replies["STARTTLS"] = "454 not now\r\n"
					s.tls = nil
				case "no EHLO":
					s.replies["EHLO"] = "500 what\r\n"
				case "broken":
					s.tls = nil // it goes on in the clear
				}
				d := &smtpclient.Dialer{LocalName: "c.test", TLS: c.policy, TLSConfig: &tls.Config{RootCAs: roots}}
				var servers []chan struct{}
				d.NetDial = func(context.Context, string, string) (net.Conn, error) {
					for _, done := range servers {
						<-done // the one before is hung up on by now
					}
					a, b := transcript.Pipe(64 << 10)
					done := make(chan struct{})
					servers = append(servers, done)
					go func() { s.serve(b); close(done) }()
					return a, nil
				}
				conn, err := d.Dial(t.Context(), "tcp", "mx.test:25")
				got := outcome{connected: err == nil}
				if err == nil {
					state, tlsErr := conn.TLS()
					got.secure, got.verified = state != nil, state != nil && tlsErr == nil
					_ = conn.Close()
				}
				for _, done := range servers {
					<-done
				}
				var heard []string
				for _, l := range s.lines {
					if word, _, _ := strings.Cut(l, " "); slices.Contains([]string{"EHLO", "HELO", "STARTTLS"}, word) {
						heard = append(heard, word)
					}
				}
				if got.heard = strings.Join(heard, " "); got != c.want {
					t.Errorf("got %+v, want %+v; error %v", got, c.want, err)
				}
			})
		})
	}
}

// TestInjectedBehindSTARTTLS: what comes with the answer to STARTTLS, in the
// clear, ends the connection.
func TestInjectedBehindSTARTTLS(t *testing.T) {
	for _, policy := range []smtpclient.TLSPolicy{smtpclient.TLSRequire, smtpclient.TLSOpportunistic} {
		synctest.Test(t, func(t *testing.T) {
			a, b := transcript.Pipe(64 << 10)
			s := &fake{offers: []string{"STARTTLS"}, replies: map[string]string{"STARTTLS": "220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n"}}
			var roots *x509.CertPool
			s.tls, roots = certificate(t, "mx.test")
			go s.serve(b)
			d := &smtpclient.Dialer{LocalName: "c.test", TLS: policy, TLSConfig: &tls.Config{RootCAs: roots}}
			if _, err := d.NewConn(t.Context(), a, "mx.test"); !errors.Is(err, smtpclient.ErrInjected) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestForgottenBySTARTTLS: what the server offered before TLS does not count
// after it.
func TestForgottenBySTARTTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := transcript.Pipe(64 << 10)
		config, roots := certificate(t, "mx.test")
		script, err := transcript.Parse("forgotten", "S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250-PIPELINING\nS: 250 STARTTLS\n"+
			"C: STARTTLS\nS: 220 go\nTLS\nC: EHLO c.test\nS: 250-x\nS: 250 8BITMIME")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- script.Serve(b, config) }()
		d := &smtpclient.Dialer{LocalName: "c.test", TLSConfig: &tls.Config{RootCAs: roots}}
		c, err := d.NewConn(t.Context(), a, "mx.test")
		if err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
		if got := c.Extensions().Set; got != smtp.SetOf(smtp.Ext8BitMIME) {
			t.Errorf("offers %v", c.Extensions().Lines())
		}
		_ = c.Close()
	})
}

// TestRequireTLS: REQUIRETLS goes over verified TLS to a server that offers
// it, and nowhere else (RFC 8689, 4.2.1); but reports go anywhere (section 5).
func TestRequireTLS(t *testing.T) {
	for _, c := range []struct {
		policy smtpclient.TLSPolicy
		offers []string
		name   string
		report bool
		want   string
		said   string
	}{
		{smtpclient.TLSRequire, []string{"STARTTLS", "REQUIRETLS"}, "mx.test", false, "accepted 250 .", "MAIL FROM:<s@a.test> REQUIRETLS"},
		{smtpclient.TLSRequire, []string{"STARTTLS"}, "mx.test", false, "permanent 550 local MAIL", ""},
		{smtpclient.TLSOpportunistic, []string{"STARTTLS", "REQUIRETLS"}, "other.test", false, "permanent 550 local MAIL", ""},
		{smtpclient.TLSRequire, []string{"STARTTLS", "REQUIRETLS"}, "mx.test", true, "accepted 250 .", "MAIL FROM:<> REQUIRETLS"},
		{smtpclient.TLSRequire, []string{"STARTTLS"}, "mx.test", true, "accepted 250 .", "MAIL FROM:<>"},
		{smtpclient.TLSOpportunistic, []string{"STARTTLS", "REQUIRETLS"}, "other.test", true, "accepted 250 .", "MAIL FROM:<>"},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := transcript.Pipe(64 << 10)
			s := &fake{offers: c.offers, replies: map[string]string{"STARTTLS": "220 go\r\n"}}
			var roots *x509.CertPool
			s.tls, roots = certificate(t, c.name)
			go s.serve(b)
			d := &smtpclient.Dialer{LocalName: "c.test", TLS: c.policy, TLSConfig: &tls.Config{RootCAs: roots}}
			conn, err := d.NewConn(t.Context(), a, "mx.test")
			if err != nil {
				t.Fatal(err)
			}
			env := envelope(t, "a@b.test")
			env.Mail.RequireTLS = true
			if c.report {
				env.From = smtp.Path{}
			}
			res, err := conn.Send(t.Context(), env, smtpclient.Bytes([]byte(hello)))
			if err != nil || fates(res) != c.want {
				t.Errorf("%v %q: fates %q, error %v", c.policy, c.offers, fates(res), err)
			}
			if c.said != "" && s.lines[3] != c.said {
				t.Errorf("said %q", s.lines)
			}
			_ = conn.Close()
		})
	}
}
