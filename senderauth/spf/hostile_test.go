package spf_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/spf"
)

// counting counts the questions that a check asks.
type counting struct {
	zone
	asked int
}

func (c *counting) LookupTXT(ctx context.Context, name string) ([]string, error) {
	c.asked++
	return c.zone.LookupTXT(ctx, name)
}

func (c *counting) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	c.asked++
	return c.zone.LookupMX(ctx, name)
}

func (c *counting) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	c.asked++
	return c.zone.LookupNetIP(ctx, network, host)
}

func (c *counting) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	c.asked++
	return c.zone.LookupAddr(ctx, addr)
}

var query = spf.Query{
	IP: netip.MustParseAddr("192.0.2.1"), Helo: "client.example.net", MailFrom: "jo@example.org",
}

// TestHostileRecords checks that no policy makes us ask more than the limits
// allow, nor work long.
func TestHostileRecords(t *testing.T) {
	manyMX := []string{}
	for i := range 10 {
		manyMX = append(manyMX, fmt.Sprintf("h%d.example.org", i))
	}
	dns := zone{"MX mx.example.org": manyMX, "PTR 1.2.0.192.in-addr.arpa": make([]string, 1000)}
	for name, record := range map[string]string{
		"ten times ten exchangers":   strings.Repeat(" mx:mx.example.org", 1000),
		"a thousand reverse lookups": strings.Repeat(" ptr:%{p}.example.org", 1000),
		"itself, often":              strings.Repeat(" include:example.org", 1000),
		"itself, as redirect":        " redirect=example.org",
		"macros of macros":           " exists:" + strings.Repeat("%{s}%{p}%{ir-}", 500) + ".example.org",
		"names that do not exist":    strings.Repeat(" a:no.example.org", 1000),
		"a long record":              strings.Repeat(" ip4:192.0.2.2", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			dns["TXT example.org"] = []string{"v=spf1" + record}
			r, start := &counting{zone: dns}, time.Now()
			got := spf.Check(context.Background(), r, query, spf.Options{})
			if got.Verdict != senderauth.PermError && got.Verdict != senderauth.Neutral {
				t.Errorf("verdict %s: %v", got.Verdict, got.Err)
			}
			if r.asked > 1+10*11+11 {
				t.Errorf("asked %d questions", r.asked)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestStrangersWordsStayOnOneLine checks that neither an explanation nor
// a client can bring a line end, or 8-bit, into what is said.
func TestStrangersWordsStayOnOneLine(t *testing.T) {
	for txt, want := range map[string]string{
		"Go away":                    "Go away",
		"Go\r\naway":                 "",
		"Go \x80":                    "",
		"%{h} is not ours":           "",
		"%{H} is not ours":           "a%0D%0Ab is not ours",
		strings.Repeat("long ", 300): strings.Repeat("long ", 300)[:512],
	} {
		dns := zone{"TXT example.org": {"v=spf1 -all exp=why.example.org"}, "TXT why.example.org": {txt}}
		q := query
		q.Helo = "a\r\nb"
		if got := spf.Check(context.Background(), dns, q, spf.Options{}).Explanation; got != want {
			t.Errorf("explanation of %q is %q, want %q", txt, got, want)
		}
	}
}

// failing answers everything with an error.
type failing struct{ err error }

func (f failing) LookupTXT(context.Context, string) ([]string, error) { return nil, f.err }

func (f failing) LookupMX(context.Context, string) ([]*net.MX, error) { return nil, f.err }

func (f failing) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, f.err
}

func (f failing) LookupAddr(context.Context, string) ([]string, error) { return nil, f.err }

func TestAnErrorOfTheDNSIsTemporary(t *testing.T) {
	down := errors.New("no route to the resolver")
	got := spf.Check(context.Background(), failing{down}, query, spf.Options{})
	if got.Verdict != senderauth.TempError || !errors.Is(got.Err, down) {
		t.Errorf("got %s, %v", got.Verdict, got.Err)
	}
}

func TestOptions(t *testing.T) {
	dns := zone{"TXT example.org": {"v=spf1 a:one.example.org a:two.example.org -all exp=why.example.org"}, "TXT why.example.org": {"%{r}"}}
	check := func(o spf.Options) spf.Result { return spf.Check(context.Background(), dns, query, o) }
	if got := check(spf.Options{Lookups: 1}); got.Verdict != senderauth.PermError || got.Lookups != 1 {
		t.Errorf("one lookup: %+v", got)
	}
	if got := check(spf.Options{Voids: -1}); got.Verdict != senderauth.PermError {
		t.Errorf("no voids: %+v", got)
	}
	if got := check(spf.Options{Receiver: "mx.example.com"}); got.Explanation != "mx.example.com" || got.Voids != 2 {
		t.Errorf("receiver: %+v", got)
	}
	if got := check(spf.Options{NoExplanation: true}); got.Verdict != senderauth.Fail || got.Explanation != "" {
		t.Errorf("no explanation: %+v", got)
	}
}

// FuzzCheck looks for policies, senders and clients that make a check panic, ask
// too much, or say what nobody may say.
func FuzzCheck(f *testing.F) {
	f.Add("v=spf1 a/24//64 mx:%{d2} exists:%{ir}.%{l1r+-}.%{o} -all exp=e.%{d}", "%{c} %{r} %{t} %{P}", "jo+x@example.org", "client", false)
	f.Add("v=spf1 ptr ip4:1.2.3.4/0 ip6:::/0 redirect=_%{h}", "", "", "example.org", true)
	f.Add("v=spf1 include:%{p}.example.org ?all", "%%%_%-", "@@", "[1.2.3.4]", true)
	f.Fuzz(func(t *testing.T, record, exp, from, helo string, ip6 bool) {
		dns := &counting{zone: zone{
			"TXT example.org": {record}, "TXT e.example.org": {exp}, "A example.org": {"192.0.2.9"},
			"MX example.org": {"example.org"}, "PTR 1.2.0.192.in-addr.arpa": {"example.org"},
		}}
		q := spf.Query{IP: query.IP, MailFrom: from, Helo: helo}
		if ip6 {
			q.IP = netip.MustParseAddr("2001:db8::1")
		}
		got := spf.Check(context.Background(), dns, q, spf.Options{})
		if got.Verdict == "" || strings.ContainsFunc(got.Explanation, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%+v", got)
		}
		if dns.asked > 1+10*11+12 {
			t.Errorf("asked %d questions", dns.asked)
		}
	})
}
