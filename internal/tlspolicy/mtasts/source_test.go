package mtasts_test

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
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
	"github.com/posthouse/posthouse/internal/tlspolicy/tlspolicytest"
	"github.com/posthouse/posthouse/internal/transcript"
)

const zone = `
_mta-sts.b.test TXT v=STSv1; id=1
mta-sts.b.test  A   192.0.2.9
_mta-sts.n.test TXT v=STSv1; id=1
mta-sts.n.test  A   192.0.2.9
`

// web is the web servers of a world: all of them at 192.0.2.9.
type web struct {
	page func(w io.Writer, q *http.Request)
	cert tls.Certificate
	pool *x509.CertPool

	mu     sync.Mutex
	dialed []string
}

// newWeb makes servers with a certificate for names. What they say is 200 and the text,
// unless it is a whole answer.
func newWeb(t *testing.T, answer string, names ...string) *web {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(2, 0, 0),
	}
	der, err1 := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	cert, err2 := x509.ParseCertificate(der)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	w := &web{cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool: x509.NewCertPool()}
	w.pool.AddCert(cert)
	w.says(answer)
	return w
}

func (w *web) says(answer string) {
	if !strings.HasPrefix(answer, "HTTP/") {
		answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
	}
	w.page = func(out io.Writer, _ *http.Request) { _, _ = io.WriteString(out, answer) }
}

func (w *web) dial(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	w.mu.Lock()
	w.dialed = append(w.dialed, to.String())
	w.mu.Unlock()
	a, b := transcript.Pipe(1 << 20)
	go func() {
		defer b.Close()
		c := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{w.cert}})
		if q, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			w.page(c, q)
			_ = c.CloseWrite()
		}
	}()
	return a, nil
}

func (w *web) visits() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.dialed)
}

func (w *web) client(t *testing.T, zone string) *publicweb.Client {
	t.Helper()
	return &publicweb.Client{Resolver: dnstest.New(t, zone), Dial: w.dial, Roots: w.pool}
}

func TestSuite(t *testing.T) {
	tlspolicytest.Run(t, func(t *testing.T) tlspolicytest.Subject {
		w := newWeb(t, good, "mta-sts.b.test", "mta-sts.n.test")
		w.page = func(out io.Writer, q *http.Request) {
			text := good
			if q.Host == "mta-sts.n.test" {
				text = "version: STSv1\nmode: none\nmax_age: 1000\n"
			}
			fmt.Fprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		}
		s := memspool.New(memspool.Options{})
		t.Cleanup(func() {
			_ = s.Close()
			if n := w.visits(); n > 2 {
				t.Errorf("the policy was fetched %d times", n)
			}
		})
		return tlspolicytest.Subject{
			Source: &mtasts.Source{Web: w.client(t, zone), States: s}, By: tlspolicy.ByMTASTS,
			Demanding: tlspolicytest.Query(t, "b.test", "mx.b.test"),
			Silent:    tlspolicytest.Query(t, "n.test", "mx.n.test"),
		}
	})
}

// TestFetch: what strangers can say, and what comes of it.
func TestFetch(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	for _, c := range []struct {
		name, answer string
		kind         tlspolicy.Failure
		want         string
	}{
		{"as it should be", good, "", ""},
		{"without a length", head + "Connection: close\r\n\r\n" + good, "", ""},
		{"it redirects to itself", "HTTP/1.1 301 x\r\nLocation: /.well-known/mta-sts.txt\r\nContent-Length: 0\r\n\r\n", tlspolicy.STSPolicyFetch, "redirects (301)"},
		{"it redirects to an address in here", "HTTP/1.1 302 x\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", tlspolicy.STSPolicyFetch, "redirects (302)"},
		{"not found", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", tlspolicy.STSPolicyFetch, "answers 404"},
		{"a page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", tlspolicy.STSPolicyFetch, `"text/html"`},
		{"no type", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", tlspolicy.STSPolicyFetch, "of type"},
		{"too large", head + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000), tlspolicy.STSPolicyFetch, "more than 65536"},
		{"compressed", head + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", tlspolicy.STSPolicyInvalid, "no colon"},
		{"a header without end", head + "X: " + strings.Repeat("x", 100_000) + "\r\n\r\n", tlspolicy.STSPolicyFetch, "header"},
		{"no HTTP", "HTTP/ \x1b[2J hello\r\n\r\n", tlspolicy.STSPolicyFetch, "HTTP"},
		{"cut", head + "Content-Length: 500\r\n\r\n" + good, tlspolicy.STSPolicyFetch, "EOF"},
		{"no policy", head + "Content-Length: 3\r\n\r\nabc", tlspolicy.STSPolicyInvalid, "no colon"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWeb(t, c.answer, "mta-sts.b.test")
			f := w.client(t, zone)
			p, err := mtasts.Fetch(t.Context(), f, tlspolicytest.Name(t, "b.test"))
			failure(t, err, c.kind, c.want)
			if err == nil && p.String() != good {
				t.Error(p.String())
			}
			if w.visits() != 1 {
				t.Errorf("it was visited %d times", w.visits())
			}
		})
	}
}

func failure(t *testing.T, err error, kind tlspolicy.Failure, want string) {
	t.Helper()
	if got := (&tlspolicy.Result{Err: err}).Kind(); got != kind {
		t.Errorf("%v is %q, want %q", err, got, kind)
	}
	if err != nil && (!strings.Contains(err.Error(), want) || err.Error() != tlspolicy.Line(err.Error())) {
		t.Errorf("%q, want %q in it", err, want)
	}
}

func TestACertificateForAnotherName(t *testing.T) {
	f := newWeb(t, good, "www.b.test").client(t, zone)
	_, err := mtasts.Fetch(t.Context(), f, tlspolicytest.Name(t, "b.test"))
	failure(t, err, tlspolicy.STSWebPKIInvalid, "www.b.test, not mta-sts.b.test")
}

func TestACertificateOfNobody(t *testing.T) {
	f := newWeb(t, good, "mta-sts.b.test").client(t, zone)
	f.Roots = x509.NewCertPool()
	_, err := mtasts.Fetch(t.Context(), f, tlspolicytest.Name(t, "b.test"))
	failure(t, err, tlspolicy.STSWebPKIInvalid, "unknown authority")
}

// TestItIsNoWayIn: no connection is made to addresses that are not public, whatever the
// DNS says, and of others to port 443 only.
func TestItIsNoWayIn(t *testing.T) {
	for addr, public := range map[string]bool{
		"127.0.0.1": false, "127.8.8.8": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false,
		"255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "192.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "fec0::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b:1::1": false, "2002:7f00:1::1": false, "2002:a00:1::1": false,
		"2001:0:1::1": false, "100::1": false,
		"8.8.8.8": true, "192.0.2.9": true, "2001:4860::8": true, "64:ff9b::808:808": true, "2002:808:808::1": true,
	} {
		typ := "A"
		if strings.Contains(addr, ":") {
			typ = "AAAA"
		}
		w := newWeb(t, good, "mta-sts.b.test")
		f := w.client(t, "mta-sts.b.test "+typ+" "+addr)
		_, err := mtasts.Fetch(t.Context(), f, tlspolicytest.Name(t, "b.test"))
		if (err == nil) != public || public != (w.visits() == 1) || public && !strings.HasSuffix(w.dialed[0], ":443") {
			t.Errorf("%s: %v, dialed %q", addr, err, w.dialed)
		}
	}
}

func TestASilentServerHasSoMuchTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWeb(t, good, "mta-sts.b.test")
		over := make(chan struct{})
		w.page = func(io.Writer, *http.Request) { <-over }
		f := w.client(t, zone)
		begun := time.Now()
		_, err := mtasts.Fetch(t.Context(), f, tlspolicytest.Name(t, "b.test"))
		failure(t, err, tlspolicy.STSPolicyFetch, "deadline exceeded")
		if took := time.Since(begun); took != 20*time.Second {
			t.Errorf("it took %s", took)
		}
		close(over)
		synctest.Wait()
	})
}

// TestKeeping: when a policy is fetched, and what holds meanwhile.
func TestKeeping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := memspool.New(memspool.Options{})
		defer states.Close()
		w := newWeb(t, good, "mta-sts.b.test")
		s := &mtasts.Source{Web: w.client(t, zone), States: states}
		q := tlspolicytest.Query(t, "b.test", "mx.b.test")
		expect := func(when, why string, visits int) {
			t.Helper()
			d, err := s.Demand(t.Context(), q)
			if got := d.Why; err != nil || got != why || w.visits() != visits {
				t.Errorf("%s: %q (%v), %v, fetched %d times", when, got, d.Fault, err, w.visits())
			}
		}
		tells := func(id string) {
			s.Web.Resolver = dnstest.New(t, strings.Replace(zone, "id=1", "id="+id, 1))
		}
		const first, second = "MTA-STS policy of b.test, id 1", "MTA-STS policy of b.test, id 2"
		expect("nothing is kept", first, 1)
		expect("it is kept", first, 1)
		s = &mtasts.Source{Web: s.Web, States: states}
		expect("and by another process", first, 1)
		time.Sleep(25 * time.Hour)
		expect("a day later it is fetched anew", first, 2)
		tells("2")
		w.says("HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n")
		expect("there is another, which cannot be had", first, 3)
		expect("and is not asked for all the time", first, 3)
		time.Sleep(6 * time.Minute)
		w.says(strings.Replace(good, "604800", "3600", 1))
		expect("it can be had", second, 4)
		s.Web.Resolver = dnstest.New(t, "x.test A 192.0.2.1")
		time.Sleep(59 * time.Minute)
		expect("somebody holds back the answers", second, 4)
		time.Sleep(2 * time.Minute)
		expect("its time is over", "", 4)
		tells("3")
		w.says("HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n")
		if d, err := s.Demand(t.Context(), q); err != nil || !d.IsZero() || d.Fault == nil {
			t.Errorf("announced, and not to be had: %+v, %v", d, err)
		}
	})
}
