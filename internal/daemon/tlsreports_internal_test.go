package daemon

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/tally"
	"github.com/posthouse/posthouse/internal/tlsrpt"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
)

// reports is a world in which reports are sent.
type reports struct {
	*daily[tally.Count]
	tally  *tally.Tally
	mails  map[string]string // by recipient
	posted []string          // by path: what came there
	refuse bool              // the web server refuses
}

func newReports(t *testing.T, zone string) *reports {
	t.Helper()
	states := memspool.New(memspool.Options{})
	t.Cleanup(func() { _ = states.Close() })
	server, pool := webCertificate(t, "web.test")
	from, _ := smtp.ParseMailbox("tls@a.test")
	w := &reports{mails: map[string]string{}, tally: tally.New(states)}
	resolver := dnstest.New(t, zone)
	r := &tlsReporter{resolver: resolver, contact: "jane@a.test"}
	r.reporting = reporting{
		from: from, hostname: "mx.a.test",
		submit: func(_ context.Context, s intake.Submission) (intake.Submitted, error) {
			text, err := io.ReadAll(s.Text)
			w.mails[s.To[0].To.String()] = string(text)
			return intake.Submitted{}, err
		},
	}
	r.web = &publicweb.Client{
		Resolver: resolver, Roots: pool,
		Dial: func(context.Context, netip.AddrPort) (net.Conn, error) {
			a, b := transcript.Pipe(64 << 10)
			go w.answer(tls.Server(b, server))
			return a, nil
		},
	}
	w.daily = &daily[tally.Count]{subject: "TLS", days: &w.tally.Daily, log: slog.New(slog.DiscardHandler), send: r.send}
	return w
}

func (w *reports) answer(c *tls.Conn) {
	defer c.Close()
	q, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	report, err := tlsrpt.Parse(q.Body)
	if err != nil || w.refuse {
		_, _ = io.WriteString(c, "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n")
		return
	}
	w.posted = append(w.posted, fmt.Sprintf("%s %s %s %s", q.Method, q.URL.Path, q.Header.Get("Content-Type"), report.Policies[0].Policy.Domain))
	_, _ = io.WriteString(c, "HTTP/1.1 201 x\r\nContent-Length: 0\r\n\r\n")
}

// count counts a session with each domain.
func (w *reports) count(t *testing.T, domains ...string) {
	t.Helper()
	for _, d := range domains {
		name, err := dns.ParseName(d)
		if err != nil {
			t.Fatal(err)
		}
		w.tally.Note(t.Context(), tlspolicy.Result{At: time.Now(), Query: tlspolicy.Query{Domain: name, Host: name}, Encrypted: true})
	}
}

func (w *reports) waiting(t *testing.T) int {
	t.Helper()
	counts, err := w.tally.Before(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return len(counts)
}

// TestReportsOnTLS: who gets one, when, and what becomes of those that cannot be sent.
func TestReportsOnTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newReports(t, `
			_smtp._tls.mail.test  TXT v=TLSRPTv1; rua=mailto:reports@b.test
			_smtp._tls.post.test  TXT v=TLSRPTv1; rua=https://web.test/in
			_smtp._tls.inner.test TXT v=TLSRPTv1; rua=https://inner.test/in
			_smtp._tls.slow.test  TXT !temporary
			web.test              A   192.0.2.9
			inner.test            A   10.0.0.1`)
		w.refuse = true
		w.count(t, "mail.test", "post.test", "inner.test", "slow.test", "nobody.test")
		time.Sleep(24 * time.Hour)
		w.sendDue(t.Context(), time.Now().Add(-time.Second))
		if len(w.mails) != 0 {
			t.Error("a report was sent before the day was over")
		}
		time.Sleep(4 * time.Hour)
		w.sendDue(t.Context(), time.Now())
		if n := w.waiting(t); n != 3 {
			t.Errorf("%d wait: those at the web servers and the one about which nobody answers", n)
		}
		r, err := tlsrpt.Read(strings.NewReader(w.mails["reports@b.test"]))
		if err != nil || r.Contact != "jane@a.test" || r.Policies[0].Summary.Successful != 1 || r.Range.Start.Format(time.DateOnly) != "2000-01-01" {
			t.Errorf("%+v, %v", r, err)
		}
		w.refuse = false
		w.sendDue(t.Context(), time.Now())
		if got := strings.Join(w.posted, "; "); got != "POST /in application/tlsrpt+gzip post.test" {
			t.Error(got)
		}
		if n := w.waiting(t); n != 2 {
			t.Errorf("%d wait", n)
		}
		time.Sleep(4 * 24 * time.Hour)
		if n := w.waiting(t); n != 0 {
			t.Errorf("%d are never given up", n)
		}
	})
}

func webCertificate(t *testing.T, name string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err1 := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	cert, err2 := x509.ParseCertificate(der)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}
