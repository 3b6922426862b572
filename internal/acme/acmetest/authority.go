// Package acmetest is an authority that gives certificates, for tests: pebble, which
// Let's Encrypt has made for that, within the process of the test.
package acmetest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Authority gives certificates for names that are all at this machine, where it asks
// for challenges.
type Authority struct {
	URL       string            // of the server
	Directory string            // URL at which clients begin
	Known     *x509.Certificate // by which the server is known
	Roots     *x509.CertPool    // of the certificates that it gives
	HTTP      net.Listener      // whoever accepts here is asked by HTTP-01
	TLSALPN   net.Listener      // the same by TLS-ALPN-01

	t       *testing.T
	manage  http.Handler
	nowhere atomic.Bool
}

// New runs an authority until the test is over. Challenges for one name must not be under
// way twice in a process.
func New(t *testing.T) *Authority {
	t.Helper()
	return NewFor(t, nil)
}

// NewFor runs an authority that serves only the accounts whose IDs and keys it is told, the
// keys in base64 as in URLs; nil: it serves everybody.
func NewFor(t *testing.T, accounts map[string]string) *Authority {
	t.Helper()
	// pebble reads them when it begins. Without the first it waits before it asks.
	_ = os.Setenv("PEBBLE_VA_NOSLEEP", "1")
	_ = os.Setenv("PEBBLE_WFE_NONCEREJECT", "20") // clients have to bear it (RFC 8555, 6.5)
	a := &Authority{t: t, HTTP: listen(t), TLSALPN: listen(t)}
	silence := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	for id, key := range accounts {
		if err := store.AddExternalAccountKeyByID(id, key); err != nil {
			t.Fatal(err)
		}
	}
	vouch := ca.New(silence, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	ask := va.New(silence, port(a.HTTP), port(a.TLSALPN), false, a.names(), store)
	front := wfe.New(silence, store, ask, vouch, []string{"pebble.example"}, false, accounts != nil, 0, 0)
	server := httptest.NewUnstartedServer(front.Handler())
	server.Config.ErrorLog = silence
	server.StartTLS()
	t.Cleanup(server.Close)
	a.manage = front.ManagementHandler()
	a.URL, a.Directory, a.Known = server.URL, server.URL+wfe.DirectoryPath, server.Certificate()
	a.Roots = x509.NewCertPool()
	a.Roots.AppendCertsFromPEM(a.get(wfe.RootCertPath + "0"))
	return a
}

// get asks what only the operator of an authority may.
func (a *Authority) get(path string) []byte {
	a.t.Helper()
	w := httptest.NewRecorder()
	a.manage.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		a.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// Hurry has the authority want a certificate renewed at once (RFC 9773).
func (a *Authority) Hurry(c *tls.Certificate) {
	a.t.Helper()
	window := map[string]any{"suggestedWindow": map[string]time.Time{
		"start": time.Now().Add(-2 * time.Hour).UTC().Truncate(time.Second), "end": time.Now().Add(-time.Hour).UTC().Truncate(time.Second),
	}}
	answer, _ := json.Marshal(window)
	body, _ := json.Marshal(map[string]string{
		"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})), "ariResponse": string(answer),
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/set-renewal-info/", bytes.NewReader(body))
	r.Header.Set("User-Agent", "test")
	a.manage.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		a.t.Errorf("set-renewal-info: %d %s", w.Code, w.Body)
	}
}

// Lose has every name be nowhere from now on.
func (a *Authority) Lose() { a.nowhere.Store(true) }

// names is a name server that knows every name.
func (a *Authority) names() string {
	l := listen(a.t)
	s := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if !a.nowhere.Load() && q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1),
			}}
		}
		_ = w.WriteMsg(m)
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.ActivateAndServe() }()
	a.t.Cleanup(func() { _ = l.Close(); <-served })
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// Good sees that a certificate is one that the authority gave, for a name.
func (a *Authority) Good(c *tls.Certificate, name string) error {
	if c == nil {
		return errors.New("there is no certificate")
	}
	middle := x509.NewCertPool()
	for _, der := range c.Certificate[1:] {
		if one, err := x509.ParseCertificate(der); err == nil {
			middle.AddCert(one)
		}
	}
	_, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: a.Roots, Intermediates: middle})
	return err
}

// Client is the pool by which the server is known.
func (a *Authority) Client() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Known)
	return pool
}
