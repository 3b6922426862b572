package remote_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// certificate makes one for mx.b.test, and the pool that trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"mx.b.test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

const (
	offersTLS = "S: 220 mx.b.test\nC: EHLO client.test\nS: 250-mx.b.test\nS: 250 STARTTLS\n"
	takesMail = `C: MAIL FROM:<s@a.test>
S: 250 ok
C: RCPT TO:<x@b.test>
S: 250 ok
C: DATA
S: 354 go on
C: From: s@a.test
C: Subject: hello
C:
C: ..dot
C: bye
C: .
S: 250 2.0.0 taken
C: QUIT
S: 221 bye
`
	overTLS    = offersTLS + "C: STARTTLS\nS: 220 go\nTLS\nC: EHLO client.test\nS: 250 mx.b.test\n" + takesMail
	brokenTLS  = offersTLS + "C: STARTTLS\nS> \"220 go\\r\\n\"\nS! close\n"
	withoutTLS = offersTLS + takesMail
)

// TestTLS: how much security there is, by policy and by what the host has.
func TestTLS(t *testing.T) {
	for _, c := range []struct {
		name    string
		policy  smtpclient.TLSPolicy
		trusted bool
		dialogs []string // one for each connection
		want    string
	}{
		{"opportunistic, with any certificate", smtpclient.TLSOpportunistic, false, []string{overTLS}, "0 relayed 250 2.0.0 taken, at ., TLS 1.3 TLS_AES_128_GCM_SHA256, mx.b.test [192.0.2.1:25]"},
		{"opportunistic, and TLS is broken", smtpclient.TLSOpportunistic, false, []string{brokenTLS, withoutTLS}, "0 relayed 250 2.0.0 taken, at ., mx.b.test [192.0.2.1:25]"},
		{"required, with a good certificate", smtpclient.TLSRequire, true, []string{overTLS}, "0 relayed 250 2.0.0 taken, at ., TLS 1.3 TLS_AES_128_GCM_SHA256, mx.b.test [192.0.2.1:25]"},
		{"required, and TLS is broken", smtpclient.TLSRequire, true, []string{brokenTLS}, "0 deferred 451 4.7.5 STARTTLS: TLS handshake: "},
		{"required, and not offered", smtpclient.TLSRequire, true, []string{"S: 220 x\nC: EHLO client.test\nS: 250 x\nC! close"}, "0 deferred 451 4.7.5 STARTTLS: the server does not offer it, at STARTTLS, local, host down, mx.b.test [192.0.2.1:25]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, pool := certificate(t)
				config := &tls.Config{RootCAs: pool}
				if !c.trusted {
					config.RootCAs = x509.NewCertPool()
				}
				dialogs := c.dialogs
				done := make(chan error, len(dialogs))
				tr := &remote.Transport{
					Resolver: dnstest.New(t, oneHost), LocalName: "client.test",
					Policy: func(string) (smtpclient.TLSPolicy, *tls.Config) { return c.policy, config },
					Dial: func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
						if len(dialogs) == 0 {
							t.Error("one connection too many")
							return nil, errRefused
						}
						script, err := transcript.Parse(c.name, strings.ReplaceAll(dialogs[0], "C:\n", "C: \n"))
						if err != nil {
							t.Fatal(err)
						}
						dialogs = dialogs[1:]
						a, b := transcript.Pipe(64 << 10)
						go func() { done <- script.Serve(b, server) }()
						return a, nil
					},
				}
				if got := send(t, tr, to("b.test"), "x@b.test"); !strings.HasPrefix(got, c.want) {
					t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
				}
				_ = tr.Close(t.Context())
				for range c.dialogs {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
