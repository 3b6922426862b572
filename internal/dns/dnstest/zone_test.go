package dnstest_test

import (
	"errors"
	"testing"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
)

func TestZone(t *testing.T) {
	z := dnstest.New(t, `
a.test      MX    20 two.test
a.test      MX    10 one.test
old.test    CNAME a.test
round.test  CNAME round.test
silent.test MX    !temporary
forged.test MX    !bogus
`)
	for name, want := range map[string]error{
		"a.test": nil, "old.test": nil, "none.test": dns.ErrNotFound,
		"round.test": dns.ErrUnusable, "silent.test": dns.ErrTemporary, "forged.test": dns.ErrBogus,
	} {
		n, err := dns.ParseName(name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := z.MX(t.Context(), n)
		if !errors.Is(err, want) || err == nil && (len(a.Records) != 2 || a.Records[0].Host.String() != "one.test" || a.Name.String() != "a.test") {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	n, _ := dns.ParseName("a.test")
	if _, err := z.A(t.Context(), n); !errors.Is(err, dns.ErrNoData) {
		t.Error(err)
	}
}

// TestChainIsAsGoodAsItsWeakestName: an answer behind a CNAME is authenticated if both
// names are.
func TestChainIsAsGoodAsItsWeakestName(t *testing.T) {
	z := dnstest.New(t, `
		a.test CNAME c.test
		b.test CNAME c.test
		b.test AD
		c.test TLSA 3 1 1 0123abcd
		c.test AD`)
	for n, want := range map[string]bool{"a.test": false, "b.test": true, "c.test": true} {
		asked, err := dns.ParseName(n)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := z.TLSA(t.Context(), asked); err != nil || a.Authenticated != want || a.Records[0].String() != "3 1 1 0123abcd" {
			t.Errorf("%s: %+v, %v", n, a, err)
		}
	}
}
