package remote_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// tell prints a plan.
func tell(p transport.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "site %s, for %v, authenticated %v\n", p.Site, time.Until(p.Until), p.Authenticated)
	for _, h := range p.Hosts {
		fmt.Fprintln(&b, h.Preference, h.Name, h.Addrs, h.TLS)
	}
	for _, n := range p.Notes {
		fmt.Fprintln(&b, n)
	}
	if p.Fault != nil {
		fmt.Fprintln(&b, transporttest.TellOne(p.Fault))
	}
	return b.String()
}

func TestPlan(t *testing.T) {
	const zone = `
b.test            AD
b.test            MX 20 backup.example.net
b.test            MX 10 mx2.mail.example.co.uk
b.test            MX 10 mx1.mail.example.co.uk
b.test            MX 10 lost.example.co.uk
mx1.mail.example.co.uk A 192.0.2.1
mx1.mail.example.co.uk AAAA 2001:db8::1
mx2.mail.example.co.uk A 192.0.2.2
backup.example.net  A 192.0.2.3
backup.example.net  A 224.0.0.1
`
	synctest.Test(t, func(t *testing.T) {
		tr := &remote.Transport{
			Resolver: dnstest.New(t, zone), Port: 2525,
			Policy: func(host string) (smtpclient.TLSPolicy, *tls.Config) {
				if host == "backup.example.net" {
					return smtpclient.TLSRequire, nil
				}
				return smtpclient.TLSOpportunistic, nil
			},
		}
		got := tell(tr.Plan(t.Context(), to("b.test")))
		want := `site example.co.uk, for 5m0s, authenticated true
10 mx1.mail.example.co.uk [[2001:db8::1]:2525 192.0.2.1:2525] opportunistic
10 mx2.mail.example.co.uk [192.0.2.2:2525] opportunistic
20 backup.example.net [192.0.2.3:2525] required
backup.example.net has the address 224.0.0.1, where no host can be
lost.example.co.uk has no address: AAAA lost.example.co.uk: no such name (asked zone)
`
		if got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p := tr.Plan(ctx, to("b.test")); p.Fault == nil || !p.Fault.OurLimit || time.Until(p.Until) > 0 {
			t.Errorf("cancelled: %s", tell(p))
		}
	})
}

// many is a resolver with more than anybody wants.
type many struct {
	dns.Resolver
	asked chan struct{}
}

func (m many) MX(_ context.Context, domain dns.Name) (dns.Answer[dns.MX], error) {
	a := dns.Answer[dns.MX]{Name: domain, TTL: 40 * time.Second}
	for i := range 10_000 {
		host, err := dns.ParseName(fmt.Sprintf("mx%d.b.test", i))
		if err != nil {
			return a, err
		}
		a.Records = append(a.Records, dns.MX{Preference: uint16(10_000 - i), Host: host})
	}
	return a, nil
}

func (m many) A(_ context.Context, host dns.Name) (dns.Answer[netip.Addr], error) {
	m.asked <- struct{}{}
	a := dns.Answer[netip.Addr]{Name: host, TTL: 50 * time.Second}
	for i := range 1000 {
		a.Records = append(a.Records, netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}))
	}
	return a, nil
}

func (many) AAAA(_ context.Context, host dns.Name) (dns.Answer[netip.Addr], error) {
	return dns.Answer[netip.Addr]{Name: host, TTL: time.Hour}, dns.ErrNoData
}

// TestTenThousandExchangers: a few hosts are looked up, fewer are tried.
func TestTenThousandExchangers(t *testing.T) {
	n := &network{}
	in(t, "", n, func(t *testing.T, tr *remote.Transport) {
		r := many{asked: make(chan struct{}, 10_000)}
		tr.Resolver = r
		p := tr.Plan(t.Context(), to("b.test"))
		if len(p.Hosts) != 20 || len(r.asked) != 20 || len(p.Hosts[0].Addrs) != 4 || p.Hosts[0].Name != "mx9999.b.test" || len(p.Notes) != 1 {
			t.Errorf("%d hosts, %d questions, %q", len(p.Hosts), len(r.asked), p.Notes)
		}
		if until := time.Until(p.Until); until != 40*time.Second {
			t.Errorf("holds for %v", until)
		}
		got := send(t, tr, to("b.test"), "x@b.test")
		if dialled := len(strings.Fields(n.went())); !strings.HasPrefix(got, "0 deferred 451 4.4.1") || dialled > 24 {
			t.Errorf("%d dialled: %.200s", dialled, got)
		}
		if len(got) > 2000 {
			t.Errorf("the story has %d octets", len(got))
		}
	})
}

// TestEqualHosts: of equal ones each gets its share, by the message; the same
// message in the same second goes the same way.
func TestEqualHosts(t *testing.T) {
	const zone = "b.test MX 10 one.b.test\nb.test MX 10 two.b.test\nb.test MX 20 three.b.test\none.b.test A 192.0.2.1\ntwo.b.test A 192.0.2.2\nthree.b.test A 192.0.2.3"
	n := &network{peers: map[string]*transporttest.Peer{"192.0.2.1": {}, "192.0.2.2": {}, "192.0.2.3": {}}}
	in(t, zone, n, func(t *testing.T, tr *remote.Transport) {
		count := map[string]int{}
		for i := range 200 {
			var went []string
			for range 2 {
				d := transporttest.Delivery(transporttest.Envelope(t, "x@b.test"), transporttest.Hello, to("b.test"))
				d.Envelope.ID = mail.ID{byte(i), 7}
				o := tr.Deliver(t.Context(), d)
				went = append(went, o[0].Host)
			}
			count[went[0]]++
			if went[0] != went[1] {
				t.Fatalf("the same message went to %v", went)
			}
		}
		if count["one.b.test"] < 70 || count["two.b.test"] < 70 {
			t.Error(count)
		}
	})
}

// TestRequireTLS: without TLS whose certificate is good, or to hosts whose names
// may be forged, such mail does not go (RFC 8689, 4.2.1).
func TestRequireTLS(t *testing.T) {
	const zone = "b.test MX 10 mx.b.test\nc.test AD\nc.test MX 10 mx.b.test\nmx.b.test A 192.0.2.1"
	n := &network{peers: map[string]*transporttest.Peer{"192.0.2.1": {Offers: []string{"REQUIRETLS"}}}}
	in(t, zone, n, func(t *testing.T, tr *remote.Transport) {
		for domain, want := range map[string]string{
			"b.test": "0 failed 550 5.7.10 REQUIRETLS needs the mail exchangers of b.test to be authenticated, by DNSSEC or MTA-STS, local, mx.b.test [192.0.2.1:25]\n",
			"c.test": "0 failed 550 5.7.10 REQUIRETLS needs TLS, which is never used to mx.b.test, local, mx.b.test [192.0.2.1:25]\n",
		} {
			d := transporttest.Delivery(transporttest.Envelope(t, "x@"+domain), transporttest.Hello, to(domain))
			d.Envelope.RequireTLS = true
			outcomes := tr.Deliver(t.Context(), d)
			transporttest.Check(t, d, outcomes)
			if got := transporttest.Tell(outcomes); got != want {
				t.Errorf("%s: got %q\nwant %q", domain, got, want)
			}
		}
	})
}

// TestBy: what is left of the time goes along; when it is over in mode R, nothing.
func TestBy(t *testing.T) {
	p := &transporttest.Peer{Offers: []string{"DELIVERBY", "DSN", "MT-PRIORITY"}}
	n := &network{peers: map[string]*transporttest.Peer{"192.0.2.1": p}}
	in(t, oneHost, n, func(t *testing.T, tr *remote.Transport) {
		d := transporttest.Delivery(transporttest.Envelope(t, "x@b.test"), transporttest.Hello, to("b.test"))
		e := d.Envelope
		e.By, e.ByMode, e.ByTrace = time.Now().Add(90*time.Second), smtp.ByReturn, true
		e.Return, e.EnvID, e.Priority = smtp.ReturnHeaders, "QQ+1", 3
		e.To[0].Notify, e.To[0].ORcpt = smtp.NotifySuccess|smtp.NotifyDelay, smtp.ORcpt{Type: "rfc822", Addr: "Dana@a.test"}
		transporttest.Check(t, d, tr.Deliver(t.Context(), d))
		lines := strings.Join(p.Lines(), "\n")
		for _, want := range []string{
			"MAIL FROM:<s@a.test> RET=HDRS ENVID=QQ+2B1 BY=90;RT MT-PRIORITY=3",
			"RCPT TO:<x@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Dana@a.test",
		} {
			if !strings.Contains(lines, want) {
				t.Errorf("no %q in:\n%s", want, lines)
			}
		}
		time.Sleep(90 * time.Second)
		if got := transporttest.Tell(tr.Deliver(t.Context(), d)); got != "0 failed 554 5.4.7 The time of BY= is over, local\n" {
			t.Error(got)
		}
	})
}
