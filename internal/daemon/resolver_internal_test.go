package daemon

import (
	"context"
	"slices"
	"testing"

	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/senderauth"
)

// TestQuestions: the standards hear of the DNS what is there, and of nothing else.
func TestQuestions(t *testing.T) {
	ctx := context.Background()
	q := questions{dnstest.New(t, `
a.example  TXT  v=spf1 -all
a.example  MX   10 mx.a.example
mx.a.example  A     192.0.2.7
mx.a.example  AAAA  2001:db8::7
null.example  MX   0 .
down.example  TXT  !temporary
7.2.0.192.in-addr.arpa PTR mx.a.example.
`)}
	txt, err := q.LookupTXT(ctx, "a.example.")
	check(t, "TXT", txt, err, "v=spf1 -all")
	mx, err := q.LookupMX(ctx, "a.example.")
	if err != nil || len(mx) != 1 || mx[0].Host != "mx.a.example." || mx[0].Pref != 10 {
		t.Errorf("MX %v %v", mx, err)
	}
	if mx, err = q.LookupMX(ctx, "null.example."); err != nil || len(mx) != 0 {
		t.Errorf("a null MX is %v %v", mx, err)
	}
	for network, want := range map[string]string{"ip4": "192.0.2.7", "ip6": "2001:db8::7"} {
		if a, err := q.LookupNetIP(ctx, network, "mx.a.example."); err != nil || len(a) != 1 || a[0].String() != want {
			t.Errorf("%s: %v %v", network, a, err)
		}
	}
	names, err := q.LookupAddr(ctx, "192.0.2.7")
	check(t, "PTR", names, err, "mx.a.example.")
	for _, name := range []string{"none.example.", "mx.a.example.", "no name.example.", "a..b.", "=.example."} {
		if _, err := q.LookupTXT(ctx, name); !senderauth.NotFound(err) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := q.LookupTXT(ctx, "down.example."); err == nil || senderauth.NotFound(err) {
		t.Errorf("a DNS that does not answer: %v", err)
	}
	if _, err := q.LookupAddr(ctx, "no address"); !senderauth.NotFound(err) {
		t.Errorf("no address: %v", err)
	}
}

func check(t *testing.T, what string, got []string, err error, want ...string) {
	t.Helper()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: %q %v", what, got, err)
	}
}
