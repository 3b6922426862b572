package dns_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/dns"
)

func TestParseName(t *testing.T) {
	for _, c := range []struct{ in, want string }{ // "": refused
		{"example.org", "example.org"},
		{"EXAMPLE.Org.", "example.org"},
		{".", "."},
		{"_25._tcp.mx.example.org", "_25._tcp.mx.example.org"},
		{"例え.test", "xn--r8jz45g.test"},
		{"xn--r8jz45g.test", "xn--r8jz45g.test"},
		{"1.2.0.192.in-addr.arpa", "1.2.0.192.in-addr.arpa"},
		{strings.Repeat("a.", 125) + "abc", strings.Repeat("a.", 125) + "abc"},
		{strings.Repeat("a.", 126) + "abc", ""},
		{strings.Repeat("a", 63) + ".b", strings.Repeat("a", 63) + ".b"},
		{strings.Repeat("a", 64) + ".b", ""},
		{"", ""},
		{"..", ""},
		{"a..b", ""},
		{".a", ""},
		{"a b.test", ""},
		{"a\r\nb.test", ""},
		{"a/b.test", ""},
		{`a\000b.test`, ""},
		{"-a.test", ""},
		{"a-.test", ""},
		{"192.0.2.1", ""},
		{"a.1", ""},
		{"[192.0.2.1]", ""},
		{"a\xff.test", ""},
		{"*.test", ""},
	} {
		got, err := dns.ParseName(c.in)
		if (err != nil) != (c.want == "") || err == nil && got.String() != c.want {
			t.Errorf("ParseName(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("ParseName(%q): the error has lines: %q", c.in, err)
		}
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("example.org.")
	f.Add("例え.test")
	f.Add("a\x00.b")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := dns.ParseName(s)
		if err != nil {
			return
		}
		if again, err := dns.ParseName(n.String()); err != nil || again != n {
			t.Errorf("%q: %q reads as %q, %v", s, n, again, err)
		}
		if len(n.String()) > 253 || strings.ContainsAny(n.String(), " /\\\r\n\t\x00<>") {
			t.Errorf("%q: %q is no name", s, n)
		}
	})
}

func TestWithin(t *testing.T) {
	name := func(s string) dns.Name {
		n, err := dns.ParseName(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		n, parent string
		want      bool
	}{
		{"a.test", "a.test", true},
		{"b.a.test", "a.test", true},
		{"ba.test", "a.test", false},
		{"a.test", "b.a.test", false},
		{"a.test", ".", true},
		{".", "a.test", false},
	} {
		if got := name(c.n).Within(name(c.parent)); got != c.want {
			t.Errorf("%s within %s: %v", c.n, c.parent, got)
		}
	}
}

func TestReverse(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":        "1.2.0.192.in-addr.arpa",
		"::ffff:192.0.2.1": "1.2.0.192.in-addr.arpa",
		"2001:db8::1":      "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		if got := dns.Reverse(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
