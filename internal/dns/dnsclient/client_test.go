package dnsclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dns/dnsclient"
)

// server is a DNS server on loopback, over UDP and TCP, that answers as f says.
type server struct {
	addr  netip.AddrPort
	asked atomic.Int32
}

func serve(t *testing.T, f func(w wire.ResponseWriter, q *wire.Msg)) *server {
	t.Helper()
	pc, l := listen(t)
	s := &server{addr: netip.MustParseAddrPort(pc.LocalAddr().String())}
	handler := wire.HandlerFunc(func(w wire.ResponseWriter, q *wire.Msg) {
		s.asked.Add(1)
		f(w, q)
	})
	var ready sync.WaitGroup
	for _, srv := range []*wire.Server{{PacketConn: pc, Handler: handler}, {Listener: l, Handler: handler}} {
		ready.Add(1)
		srv.NotifyStartedFunc = ready.Done
		go func() { _ = srv.ActivateAndServe() }()
		t.Cleanup(func() { _ = srv.Shutdown() })
	}
	ready.Wait()
	return s
}

// listen finds a port that is free for UDP and TCP.
func listen(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", pc.LocalAddr().String())
		if err == nil {
			return pc, l
		}
		_ = pc.Close()
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

// zone answers every question with these lines of a zone, whoever owns them.
func zone(lines ...string) func(wire.ResponseWriter, *wire.Msg) {
	return func(w wire.ResponseWriter, q *wire.Msg) {
		m := new(wire.Msg).SetReply(q)
		m.AuthenticatedData = true
		for _, l := range lines {
			rr, err := wire.NewRR(l)
			if err != nil {
				panic(err) // a slip in the test
			}
			m.Answer = append(m.Answer, rr)
		}
		_ = w.WriteMsg(m)
	}
}

func client(servers ...*server) *dnsclient.Client {
	c := &dnsclient.Client{Timeout: time.Second, Attempts: 1}
	for _, s := range servers {
		c.Servers = append(c.Servers, s.addr)
	}
	return c
}

func name(t testing.TB, s string) dns.Name {
	t.Helper()
	n, err := dns.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func printMX(a dns.Answer[dns.MX]) string {
	var b strings.Builder
	for _, mx := range a.Records {
		fmt.Fprintf(&b, "%d %s, ", mx.Preference, mx.Host)
	}
	return fmt.Sprintf("%sat %s, ad %v, %d omitted", b.String(), a.Name, a.Authenticated, a.Omitted)
}

// TestMX: what a server says, and what is made of it.
func TestMX(t *testing.T) {
	for _, c := range []struct {
		name  string
		zone  []string
		want  string
		fails error
	}{
		{
			"in order of preference",
			[]string{"a.test. 300 IN MX 20 two.test.", "A.test. 300 IN MX 10 ONE.test.", "a.test. 60 IN MX 10 also.test."},
			"10 also.test, 10 one.test, 20 two.test, at a.test, ad true, 0 omitted", nil,
		},
		{"null MX", []string{"a.test. 300 IN MX 0 ."}, "0 ., at a.test, ad true, 0 omitted", nil},
		{"behind CNAMEs", []string{"a.test. 300 IN CNAME b.test.", "b.test. 300 IN CNAME c.test.", "c.test. 9 IN MX 1 m.test."}, "1 m.test, at c.test, ad true, 0 omitted", nil},
		{"bogus names are left out", []string{`a.test. 9 IN MX 1 a\013\010b.test.`, `a.test. 9 IN MX 1 a\032b.test.`, "a.test. 9 IN MX 1 192.0.2.1.", "a.test. 9 IN MX 2 ok.test."}, "2 ok.test, at a.test, ad true, 3 omitted", nil},
		{"only bogus names", []string{`a.test. 9 IN MX 1 a\000b.test.`}, "at a.test, ad true, 1 omitted", dns.ErrUnusable},
		{"somebody else's records", []string{"victim.test. 9 IN MX 1 evil.test."}, "at a.test, ad true, 0 omitted", dns.ErrNoData},
		{"a loop", []string{"a.test. 9 IN CNAME b.test.", "b.test. 9 IN CNAME a.test."}, "at a.test, ad true, 0 omitted", dns.ErrUnusable},
		{"a loop of one", []string{"a.test. 9 IN CNAME a.test."}, "at a.test, ad true, 0 omitted", dns.ErrUnusable},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := client(serve(t, zone(c.zone...))).MX(t.Context(), name(t, "a.test"))
			if got := printMX(a); got != c.want || !errors.Is(err, c.fails) {
				t.Errorf("%s, %v\nwant %s, %v", got, err, c.want, c.fails)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("the error is more than a line: %q", err)
			}
		})
	}
}

// TestManyMX: an answer as large as the wire allows is bounded, and the best
// are kept.
func TestManyMX(t *testing.T) {
	s := serve(t, func(w wire.ResponseWriter, q *wire.Msg) {
		m := new(wire.Msg).SetReply(q)
		if w.RemoteAddr().Network() == "udp" {
			m.Truncated = true
			_ = w.WriteMsg(m)
			return
		}
		m.Compress = true
		for i := range 3000 {
			m.Answer = append(m.Answer, &wire.MX{
				Hdr:        wire.RR_Header{Name: q.Question[0].Name, Rrtype: wire.TypeMX, Class: wire.ClassINET, Ttl: 60},
				Preference: uint16(3000 - i), Mx: "m.a.test.",
			})
		}
		_ = w.WriteMsg(m)
	})
	a, err := client(s).MX(t.Context(), name(t, "a.test"))
	if err != nil || len(a.Records) != dns.MaxRecords || a.Omitted != 2900 || a.Records[0].Preference != 1 {
		t.Fatalf("%d records, %d omitted, %v", len(a.Records), a.Omitted, err)
	}
}

// TestHostileServers: none of them gets more than an error out of us, and the
// honest server that comes next is believed.
func TestHostileServers(t *testing.T) {
	rcode := func(code int, options ...wire.EDNS0) func(wire.ResponseWriter, *wire.Msg) {
		return func(w wire.ResponseWriter, q *wire.Msg) {
			m := new(wire.Msg).SetRcode(q, code)
			if len(options) > 0 {
				m.SetEdns0(1232, false)
				m.IsEdns0().Option = options
			}
			_ = w.WriteMsg(m)
		}
	}
	altered := func(f func(m *wire.Msg)) func(wire.ResponseWriter, *wire.Msg) {
		return func(w wire.ResponseWriter, q *wire.Msg) {
			m := new(wire.Msg).SetReply(q)
			rr, _ := wire.NewRR(q.Question[0].Name + " 60 IN MX 1 evil.test.")
			m.Answer = []wire.RR{rr}
			f(m)
			_ = w.WriteMsg(m)
		}
	}
	raw := func(s string) func(wire.ResponseWriter, *wire.Msg) {
		return func(w wire.ResponseWriter, q *wire.Msg) {
			_, _ = w.Write(append([]byte{byte(q.Id >> 8), byte(q.Id)}, s...))
		}
	}
	for _, c := range []struct {
		name    string
		hostile func(wire.ResponseWriter, *wire.Msg)
		want    error
		slow    bool
	}{
		{"SERVFAIL", rcode(wire.RcodeServerFailure), dns.ErrTemporary, false},
		{"REFUSED", rcode(wire.RcodeRefused), dns.ErrTemporary, false},
		{"FORMERR", rcode(wire.RcodeFormatError), dns.ErrTemporary, false},
		{"bogus", rcode(wire.RcodeServerFailure, &wire.EDNS0_EDE{InfoCode: wire.ExtendedErrorCodeDNSBogus, ExtraText: "no\r\nsignature"}), dns.ErrBogus, false},
		{"unreachable authority", rcode(wire.RcodeServerFailure, &wire.EDNS0_EDE{InfoCode: wire.ExtendedErrorCodeNoReachableAuthority}), dns.ErrTemporary, false},
		{"silence", func(wire.ResponseWriter, *wire.Msg) {}, dns.ErrTemporary, true},
		{"another question", altered(func(m *wire.Msg) { m.Question[0].Name = "b.test." }), dns.ErrTemporary, true},
		{"another type", altered(func(m *wire.Msg) { m.Question[0].Qtype = wire.TypeA }), dns.ErrTemporary, true},
		{"no question", altered(func(m *wire.Msg) { m.Question = nil }), dns.ErrTemporary, true},
		{"another id", altered(func(m *wire.Msg) { m.Id++ }), dns.ErrTemporary, true},
		{"a question as answer", altered(func(m *wire.Msg) { m.Response = false }), dns.ErrTemporary, true},
		{"truncated on TCP too", altered(func(m *wire.Msg) { m.Truncated = true }), dns.ErrTemporary, false},
		{"nothing but an id", raw(""), dns.ErrTemporary, true},
		{"10,000 records promised", raw("\x81\x80\x00\x01\x27\x10\x00\x00\x00\x00\x01a\x04test\x00\x00\x0f\x00\x01"), dns.ErrTemporary, false},
		{"a name that points to itself", raw("\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x0f\x00\x01"), dns.ErrTemporary, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bad, good := serve(t, c.hostile), serve(t, zone("a.test. 60 IN MX 1 good.test."))
			cl := client(bad)
			if c.slow {
				cl.Timeout = 50 * time.Millisecond
			}
			a, err := cl.MX(t.Context(), name(t, "a.test"))
			if !errors.Is(err, c.want) || len(a.Records) > 0 {
				t.Errorf("%s, %v; want %v", printMX(a), err, c.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("the error is more than a line: %q", err)
			}
			cl = client(bad, good)
			if c.slow {
				cl.Timeout = 50 * time.Millisecond
			}
			a, err = cl.MX(t.Context(), name(t, "a.test"))
			if err != nil || a.Records[0].Host != name(t, "good.test") {
				t.Errorf("with an honest server behind: %s, %v", printMX(a), err)
			}
			asked := bad.asked.Load()
			if _, err := cl.MX(t.Context(), name(t, "a.test")); err != nil {
				t.Error(err)
			}
			if _, err := cl.A(t.Context(), name(t, "a.test")); !errors.Is(err, dns.ErrNoData) || bad.asked.Load() != asked {
				t.Errorf("the server that answered last is not asked first: %v", err)
			}
		})
	}
}

// TestOldServer: one that does not know EDNS is asked without.
func TestOldServer(t *testing.T) {
	s := serve(t, func(w wire.ResponseWriter, q *wire.Msg) {
		if q.IsEdns0() != nil {
			_ = w.WriteMsg(new(wire.Msg).SetRcode(q, wire.RcodeFormatError))
			return
		}
		zone("a.test. 60 IN A 192.0.2.1")(w, q)
	})
	a, err := client(s).A(t.Context(), name(t, "a.test"))
	if err != nil || a.Records[0] != netip.MustParseAddr("192.0.2.1") {
		t.Fatal(a, err)
	}
}

// TestChainAcrossAnswers: a server that does not follow CNAMEs itself.
func TestChainAcrossAnswers(t *testing.T) {
	endless := func(w wire.ResponseWriter, q *wire.Msg) {
		zone(q.Question[0].Name+" 60 IN CNAME x"+q.Question[0].Name)(w, q)
	}
	s := serve(t, endless)
	if _, err := client(s).A(t.Context(), name(t, "a.test")); !errors.Is(err, dns.ErrUnusable) || s.asked.Load() > 10 {
		t.Errorf("%v after %d questions", err, s.asked.Load())
	}
	s = serve(t, func(w wire.ResponseWriter, q *wire.Msg) {
		if q.Question[0].Name == "a.test." {
			zone("a.test. 60 IN CNAME b.test.")(w, q)
		} else {
			zone("b.test. 30 IN A 192.0.2.7")(w, q)
		}
	})
	a, err := client(s).A(t.Context(), name(t, "a.test"))
	if err != nil || a.Name != name(t, "b.test") || a.TTL != 30*time.Second || s.asked.Load() != 2 {
		t.Error(a, err, s.asked.Load())
	}
}

// TestAuthenticated: the AD bit of a server beyond this host is not believed
// unless it is said to be, and the bit of every answer counts.
func TestAuthenticated(t *testing.T) {
	s := serve(t, zone("a.test. 60 IN A 192.0.2.1"))
	far := &dnsclient.Client{
		Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "192.0.2.53:53" {
				t.Errorf("dialled %s", address)
			}
			return new(net.Dialer).DialContext(ctx, network, s.addr.String())
		},
	}
	if a, err := far.A(t.Context(), name(t, "a.test")); err != nil || a.Authenticated {
		t.Error("a far server is believed", err)
	}
	far.TrustAD, far.CacheSize = true, -1
	if a, err := far.AAAA(t.Context(), name(t, "a.test")); !errors.Is(err, dns.ErrNoData) || !a.Authenticated {
		t.Error("a trusted server is not believed", err)
	}
}

func TestDenials(t *testing.T) {
	soa := "test. 300 IN SOA ns.test. h.test. 1 1 1 1 90"
	s := serve(t, func(w wire.ResponseWriter, q *wire.Msg) {
		m := new(wire.Msg).SetReply(q)
		if strings.HasPrefix(q.Question[0].Name, "gone") {
			m.Rcode = wire.RcodeNameError
		}
		rr, _ := wire.NewRR(soa)
		m.Ns = []wire.RR{rr}
		_ = w.WriteMsg(m)
	})
	c := client(s)
	for range 2 { // the second comes from the cache
		for host, want := range map[string]error{"gone.test": dns.ErrNotFound, "empty.test": dns.ErrNoData} {
			a, err := c.TXT(t.Context(), name(t, host))
			if !errors.Is(err, want) || !dns.Final(err) || a.TTL > 90*time.Second || a.TTL < 80*time.Second {
				t.Errorf("%s: %v, %v", host, a, err)
			}
		}
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestTXTAndPTR(t *testing.T) {
	s := serve(t, func(w wire.ResponseWriter, q *wire.Msg) {
		n := q.Question[0].Name
		zone(n+` 60 IN TXT "v=spf1 \"a\\b\" " "\000\255-all"`, n+" 60 IN PTR mail.test.", n+` 60 IN PTR ev\000il.test.`)(w, q)
	})
	if a, err := client(s).TXT(t.Context(), name(t, "a.test")); err != nil || a.Records[0] != "v=spf1 \"a\\b\" \x00\xff-all" {
		t.Errorf("%q, %v", a.Records, err)
	}
	a, err := client(s).PTR(t.Context(), netip.MustParseAddr("192.0.2.1"))
	if err != nil || len(a.Records) != 1 || a.Records[0] != name(t, "mail.test") || a.Omitted != 1 {
		t.Errorf("%v, %v", a, err)
	}
}

// TestCache: answers are kept for their time and no longer than there is room.
func TestCache(t *testing.T) {
	s := serve(t, func(w wire.ResponseWriter, q *wire.Msg) {
		ttl := "60"
		if strings.HasPrefix(q.Question[0].Name, "fleeting") {
			ttl = "0"
		}
		zone(q.Question[0].Name+" "+ttl+" IN A 192.0.2.1")(w, q)
	})
	c := client(s)
	c.CacheSize = 3000 // about eight answers
	ask := func(host string) int32 {
		before := s.asked.Load()
		if _, err := c.A(t.Context(), name(t, host)); err != nil {
			t.Fatal(err)
		}
		return s.asked.Load() - before
	}
	for i := range 20 {
		ask("a.test")
		ask(fmt.Sprintf("h%d.test", i))
	}
	for host, want := range map[string]int32{"a.test": 0, "h19.test": 0, "h0.test": 1, "fleeting.test": 1} {
		if got := ask(host); got != want {
			t.Errorf("%s: asked %d times, want %d", host, got, want)
		}
	}
	if ask("fleeting.test") != 1 {
		t.Error("an answer without time is kept")
	}
}

func TestCancelled(t *testing.T) {
	arrived := make(chan struct{}, 9)
	s := serve(t, func(wire.ResponseWriter, *wire.Msg) { arrived <- struct{}{} })
	c := client(s)
	c.Timeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := c.A(ctx, name(t, "a.test")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestLocalhost(t *testing.T) {
	c := &dnsclient.Client{Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("asked somebody")
		return nil, os.ErrPermission
	}}
	a, err := c.A(t.Context(), name(t, "localhost"))
	if err != nil || a.Records[0] != netip.MustParseAddr("127.0.0.1") {
		t.Error(a, err)
	}
	if _, err := c.MX(t.Context(), name(t, "x.localhost")); !errors.Is(err, dns.ErrNoData) {
		t.Error(err)
	}
}

func TestReadResolvConf(t *testing.T) {
	c, err := dnsclient.ReadResolvConf(strings.NewReader("# comment\nsearch example.org\nnameserver 192.0.2.1\nnameserver nonsense\n" +
		"nameserver fe80::1%eth0\nnameserver\noptions timeout:3 attempts:99 edns0 trust-ad ndots:x\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Servers, c.Timeout, c.Attempts, c.TrustAD); got != "[192.0.2.1:53 [fe80::1%eth0]:53 192.0.2.3:53] 3s 5 true" {
		t.Error(got)
	}
}

// TestTLSA: records as they are, and those that are none left out.
func TestTLSA(t *testing.T) {
	s := serve(t, func(w wire.ResponseWriter, q *wire.Msg) {
		n := q.Question[0].Name
		zone(n+" 60 IN TLSA 3 1 1 0123abcd", n+" 60 IN TLSA 2 0 2 ff")(w, q)
	})
	a, err := client(s).TLSA(t.Context(), name(t, "_25._tcp.mx.test"))
	if err != nil || !a.Authenticated || len(a.Records) != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	if got := a.Records[0].String() + ", " + a.Records[1].String(); got != "3 1 1 0123abcd, 2 0 2 ff" {
		t.Error(got)
	}
}

// TestSRV: hosts with their ports; the root says that a service is not there.
func TestSRV(t *testing.T) {
	s := serve(t, func(w wire.ResponseWriter, q *wire.Msg) {
		n := q.Question[0].Name
		zone(n+" 60 IN SRV 0 1 465 MX.test.", n+" 60 IN SRV 1 0 0 .")(w, q)
	})
	a, err := client(s).SRV(t.Context(), name(t, "_submissions._tcp.test"))
	if got := fmt.Sprint(a.Records); err != nil || got != "[0 1 465 mx.test 1 0 0 .]" {
		t.Errorf("%s, %v", got, err)
	}
}
