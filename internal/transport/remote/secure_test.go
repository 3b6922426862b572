package remote_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/dane"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
	"github.com/posthouse/posthouse/internal/tlspolicy/remembered"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

// TestSecurity plays testdata/security.txt, which says how it is written.
func TestSecurity(t *testing.T) {
	text, err := os.ReadFile("testdata/security.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "\n== ")[1:] {
		name, lines, _ := strings.Cut(part, "\n")
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newSecureStory(t).play(strings.Split(strings.TrimSpace(lines), "\n")) })
		})
	}
}

// secureStory is one that is being played.
type secureStory struct {
	t      *testing.T
	ca     authority
	zone   string
	peers  map[string]*securePeer
	page   func(w io.Writer) // what the web server says; nil: nobody is there
	rules  tlspolicy.Rules
	states *memspool.Spool
	seen   []string // what the observer heard

	tr    *remote.Transport
	last  []string
	notes []string
}

func newSecureStory(t *testing.T) *secureStory {
	return &secureStory{t: t, ca: newAuthority(t), peers: map[string]*securePeer{}, states: memspool.New(memspool.Options{})}
}

func (s *secureStory) play(lines []string) {
	var got []string
	for _, l := range lines {
		got = append(got, s.line(l)...)
	}
	if g, w := strings.Join(got, "\n"), strings.Join(lines, "\n"); g != w {
		s.t.Errorf("got:\n%s\nwant:\n%s", g, w)
	}
	s.end()
	_ = s.states.Close()
}

// end closes the transport; the next message has another one.
func (s *secureStory) end() {
	if s.tr != nil {
		_ = s.tr.Close(s.t.Context())
		s.tr = nil
	}
}

// line returns the line as it should have been.
func (s *secureStory) line(l string) []string {
	word, arg, _ := strings.Cut(l, " ")
	first, rest, _ := strings.Cut(arg, " ")
	switch word {
	case "send":
		s.send(strings.Fields(arg))
	case "->":
		return []string{"-> " + shift(&s.last)}
	case "plan":
		return []string{"plan " + shift(&s.notes)}
	case "heard":
		return []string{"heard " + shift(&s.seen)}
	case "zone":
		s.zone += arg + "\n"
		s.end()
	case "peer":
		s.peers[first] = newSecurePeer(s, rest)
	case "page":
		s.page = pageOf(first, rest)
	case "rule":
		s.rule(first, strings.Fields(rest))
	case "later":
		d, err := time.ParseDuration(arg)
		if err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(d)
	case "without":
		s.zone = dropLines(s.zone, arg)
		s.end()
	default:
		s.t.Fatalf("%q is no line of a story", l)
	}
	return []string{l}
}

func shift(lines *[]string) string {
	if len(*lines) == 0 {
		return "nothing"
	}
	first := (*lines)[0]
	*lines = (*lines)[1:]
	return first
}

func dropLines(zone, having string) string {
	var kept strings.Builder
	for l := range strings.Lines(zone) {
		if !strings.Contains(l, having) {
			kept.WriteString(l)
		}
	}
	return kept.String()
}

func (s *secureStory) rule(domain string, words []string) {
	r := tlspolicy.Rule{Domain: domain, Roots: s.ca.pool, Origin: mail.Origin{File: "p.hcl", Line: 1, Column: 1}}
	for level := tlspolicy.Opportunistic; level <= tlspolicy.Verified; level++ {
		if level.String() == words[0] {
			r.Level = level
		}
	}
	r.Names = words[1:]
	s.rules = append(s.rules, r)
	s.end()
}

// Note implements [tlspolicy.Observer].
func (s *secureStory) Note(_ context.Context, r tlspolicy.Result) {
	if kind := r.Kind(); kind != "" {
		s.seen = append(s.seen, string(kind))
	}
}

func (s *secureStory) transport() *remote.Transport {
	if s.tr != nil {
		return s.tr
	}
	resolver := dnstest.New(s.t, s.expand(s.zone))
	memory := &remembered.Memory{States: s.states}
	s.tr = &remote.Transport{
		Resolver: resolver, LocalName: "client.test", Dial: s.dial, TLSConfig: &tls.Config{RootCAs: s.ca.pool},
		Judge: tlspolicy.InOrder{
			s.rules, &dane.Source{Resolver: resolver},
			&mtasts.Source{Web: &publicweb.Client{Resolver: resolver, Dial: s.web, Roots: s.ca.pool}, States: s.states},
			memory,
		},
		Observer: tlspolicy.Observers{memory, s},
	}
	return s.tr
}

// expand puts in digests: {key NAME} is the SHA-256 of the public key of the peer at an
// address, {ca} that of the authority's.
func (s *secureStory) expand(zone string) string {
	for addr, p := range s.peers {
		if p.spki != "" {
			zone = strings.ReplaceAll(zone, "{key "+addr+"}", p.spki)
		}
	}
	return strings.ReplaceAll(zone, "{ca}", digest(s.ca.cert.RawSubjectPublicKeyInfo))
}

func digest(octets []byte) string { return fmt.Sprintf("%x", sha256.Sum256(octets)) }

func (s *secureStory) dial(ctx context.Context, _ netip.Addr, to netip.AddrPort) (net.Conn, error) {
	p := s.peers[to.Addr().String()]
	if p == nil {
		return nil, errRefused
	}
	a, b := transcript.Pipe(64 << 10)
	go p.serve(b)
	return a, nil
}

// web is the way to the web server.
func (s *secureStory) web(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	if s.page == nil || to.Port() != 443 {
		return nil, errRefused
	}
	a, b := transcript.Pipe(256 << 10)
	go func() {
		defer b.Close()
		c := tls.Server(b, s.ca.server(s.t, "mta-sts.b.test"))
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			s.page(c)
			_ = c.CloseWrite()
		}
	}()
	return a, nil
}

// pageOf is an answer: a status, and the lines of the text between bars.
func pageOf(status, text string) func(io.Writer) {
	body := strings.ReplaceAll(text, " | ", "\r\n") + "\r\n"
	if status == "large" {
		status, body = "200", strings.Repeat("x: y\r\n", 20_000)
	}
	extra := ""
	if status == "302" {
		extra = "Location: https://192.0.2.1/elsewhere\r\n"
	}
	return func(w io.Writer) {
		fmt.Fprintf(w, "HTTP/1.1 %s x\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n%s", status, extra, len(body), body)
	}
}

// send delivers a message to x@b.test; words say what is special about it.
func (s *secureStory) send(words []string) {
	tr := s.transport()
	e := transporttest.Envelope(s.t, "x@b.test")
	text := transporttest.Hello
	for _, w := range words {
		switch w {
		case "REQUIRETLS":
			e.RequireTLS = true
		case "TLS-Required:No":
			text = "TLS-Required: No\r\n" + text
		default:
			s.t.Fatalf("%q is no word of send", w)
		}
	}
	d := transporttest.Delivery(e, text, to("b.test"))
	plan := tr.Plan(s.t.Context(), d.Hop)
	s.notes = nil
	for _, h := range plan.Hosts {
		s.notes = append(s.notes, h.Name+" "+h.TLS)
	}
	s.notes = append(s.notes, plan.Notes...)
	d.Plan = &plan
	outcomes := tr.Deliver(s.t.Context(), d)
	transporttest.Check(s.t, d, outcomes)
	s.last = strings.Split(strings.TrimSpace(transporttest.Tell(outcomes)), "\n")
}

// securePeer is a host that takes mail, with a certificate and habits of its own.
type securePeer struct {
	config *tls.Config
	spki   string
	does   map[string]bool
}

// newSecurePeer makes one of words: the certificate, and then what it does.
func newSecurePeer(s *secureStory, words string) *securePeer {
	f := strings.Fields(words)
	p := &securePeer{does: map[string]bool{}}
	for _, w := range f[1:] {
		p.does[w] = true
	}
	switch f[0] {
	case "plain": // offers no TLS
	case "good":
		p.config = s.ca.server(s.t, "mx.b.test")
	case "other-name":
		p.config = s.ca.server(s.t, "elsewhere.test")
	case "expired":
		p.config = s.ca.issue(s.t, "mx.b.test", time.Now().Add(-time.Hour))
	case "self-made":
		own := newAuthority(s.t)
		p.config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{own.cert.Raw}, PrivateKey: own.key}}}
	default:
		s.t.Fatalf("%q is no certificate", f[0])
	}
	if p.config != nil {
		leaf, err := x509.ParseCertificate(p.config.Certificates[0].Certificate[0])
		if err != nil {
			s.t.Fatal(err)
		}
		p.spki = digest(leaf.RawSubjectPublicKeyInfo)
	}
	return p
}

func (p *securePeer) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	secure := false
	say := func(s string) { _, _ = io.WriteString(conn, s+"\r\n") }
	say("220 mx.b.test")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
		case "EHLO":
			offers := []string{"mx.b.test"}
			if p.config != nil && !secure && !p.does["stripped"] {
				offers = append(offers, "STARTTLS")
			}
			if p.does["REQUIRETLS"] && secure {
				offers = append(offers, "REQUIRETLS")
			}
			_, _ = io.WriteString(conn, transporttest.Lines("250", offers...))
		case "STARTTLS":
			switch {
			case p.does["454"]:
				say("454 4.7.0 not now")
				continue
			case p.does["injected"]:
				say("220 go\r\n250 injected")
			case p.does["cut"]:
				say("220 go")
				return
			default:
				say("220 go")
			}
			c := tls.Server(conn, p.config)
			if c.Handshake() != nil {
				return
			}
			conn, r, secure = c, bufio.NewReader(c), true
		case "DATA":
			say("354 go on")
			for line != ".\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			say("250 2.0.0 queued")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// authority vouches for certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
	}
	der, err1 := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	cert, err2 := x509.ParseCertificate(der)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return authority{cert, key, pool}
}

func (a authority) server(t *testing.T, name string) *tls.Config {
	return a.issue(t, name, time.Now().AddDate(5, 0, 0))
}

// issue makes a certificate for a name, which is shown with that of the authority.
func (a authority) issue(t *testing.T, name string, until time.Time) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: time.Now().AddDate(0, -1, 0), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}}}
}
