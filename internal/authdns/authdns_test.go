package authdns

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/senderauth"
)

const zone = `
sohu.test          TXT v=spf1 -all
sohu.test          MX  10 mx.sohu.test
sohu.test          AD
null.test          MX  0 .
mx.sohu.test       A    192.0.2.1
mx.sohu.test       AAAA 2001:db8::1
1.2.0.192.in-addr.arpa PTR mx.sohu.test
silent.test        TXT !temporary
forged.test        TXT !bogus
broken.test        TXT !unusable
`

func TestAnswers(t *testing.T) {
	ctx := context.Background()
	r := Resolver{dnstest.New(t, zone)}
	show := func(v any, err error) string {
		switch {
		case err == nil:
			return fmt.Sprint(v)
		case senderauth.NotFound(err):
			return "not found"
		}
		return "may pass"
	}
	txt := func(name string) string { return show(r.LookupTXT(ctx, name)) }
	mx := func(name string) string {
		all, err := r.LookupMX(ctx, name)
		hosts := []string{}
		for _, m := range all {
			hosts = append(hosts, fmt.Sprint(m.Pref, " ", m.Host))
		}
		return show(hosts, err)
	}
	for _, c := range []struct{ got, want string }{
		{txt("sohu.test."), "[v=spf1 -all]"},
		{txt("nothing.test."), "not found"},
		{txt("mx.sohu.test."), "not found"},
		{txt("silent.test."), "may pass"},
		{txt("forged.test."), "may pass"},
		{txt("broken.test."), "not found"},
		{txt("a name with spaces."), "not found"},
		{txt("evil\r\n.test."), "not found"},
		{mx("sohu.test."), "[10 mx.sohu.test.]"},
		{mx("null.test."), "[0 .]"},
		{show(r.LookupNetIP(ctx, "ip4", "mx.sohu.test.")), "[192.0.2.1]"},
		{show(r.LookupNetIP(ctx, "ip6", "mx.sohu.test.")), "[2001:db8::1]"},
		{show(r.LookupNetIP(ctx, "ip6", "sohu.test.")), "not found"},
		{show(r.LookupAddr(ctx, "192.0.2.1")), "[mx.sohu.test.]"},
		{show(r.LookupAddr(ctx, "192.0.2.9")), "not found"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

func TestWhatIsSignedIsAuthentic(t *testing.T) {
	r := Resolver{dnstest.New(t, zone)}
	for name, want := range map[string]bool{"sohu.test.": true, "silent.test.": false} {
		if _, authentic, _ := senderauth.LookupTXT(context.Background(), r, name); authentic != want {
			t.Errorf("%s: authentic is %v", name, authentic)
		}
	}
}

func TestTheReasonIsKept(t *testing.T) {
	r := Resolver{dnstest.New(t, zone)}
	if _, err := r.LookupTXT(context.Background(), "forged.test."); !errors.Is(err, dns.ErrBogus) {
		t.Errorf("%v does not say that it is forged", err)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.LookupTXT(over, "sohu.test."); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that of the context", err)
	}
}
