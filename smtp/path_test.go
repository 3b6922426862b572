package smtp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// rows reads a table of testdata: lines that are neither empty nor begin with
// '#', with their numbers. "\x00" and "\u0085" stand for these characters, and
// "x*3" for "xxx".
func rows(t *testing.T, file string, yield func(at, row string)) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, row := range strings.Split(string(data), "\n") {
		if row = strings.TrimRight(row, " "); row != "" && row[0] != '#' {
			n++
			yield(fmt.Sprintf("%s:%d", file, i+1), spellOut(row))
		}
	}
	if n < 5 {
		t.Fatalf("%s has only %d rows", file, n)
	}
}

var (
	escaped  = regexp.MustCompile(`\\(x[0-9a-f]{2}|u[0-9a-f]{4}|t)`)
	repeated = regexp.MustCompile(`(x\.?|é)\*(\d+)`)
)

func spellOut(row string) string {
	row = repeated.ReplaceAllStringFunc(row, func(s string) string {
		what, times, _ := strings.Cut(s, "*")
		n, _ := strconv.Atoi(times)
		return strings.Repeat(what, n)
	})
	return escaped.ReplaceAllStringFunc(row, func(s string) string {
		s, err := strconv.Unquote(`"` + s + `"`)
		if err != nil {
			panic(err)
		}
		return s
	})
}

// fields cuts a row at " | " and drops the spaces that align it.
func fields(row string) []string {
	f := strings.Split(row+" ", "| ")
	for i := range f {
		f[i] = strings.Trim(f[i], " ")
	}
	return f
}

func TestPathsAsTheyAreRead(t *testing.T) {
	rows(t, "paths.txt", func(at, row string) {
		if in, reason, refused := strings.Cut(row, "! "); refused && !strings.Contains(row, " | ") {
			in = strings.TrimRight(in, " ")
			p, err := ParsePath(in)
			if err == nil || !strings.HasPrefix(err.Error(), reason) {
				t.Errorf("%s: %q is %q, %v; want the error %q", at, in, p, err, reason)
			}
			return
		}
		f := fields(row)
		p, err := ParsePath(f[0])
		if err != nil || len(f) != 4 || p.Local() != f[1] || p.Domain() != f[2] || p.Mailbox() != f[3] {
			t.Errorf("%s: %q is %q at %q, mailbox %q, %v", at, f[0], p.Local(), p.Domain(), p.Mailbox(), err)
			return
		}
		if again, err := ParsePath(string(p.append(nil))); err != nil || again != p {
			t.Errorf("%s: %q is printed as %q", at, f[0], p.append(nil))
		}
		text, _ := p.MarshalText()
		var back Path
		if err := back.UnmarshalText(text); err != nil || back != p {
			t.Errorf("%s: %q as text is %q, and read back %q, %v", at, f[0], text, back, err)
		}
	})
}

// TestDomainsInASCIIAndInUnicode goes both ways (RFC 6531, 3.2).
func TestDomainsInASCIIAndInUnicode(t *testing.T) {
	for _, c := range []struct{ unicode, ascii string }{
		{"a@bücher.example", "a@xn--bcher-kva.example"},
		{"a@例子.example", "a@xn--fsqu00a.example"},
		{"a@straße.example", "a@xn--strae-oqa.example"},
		{`"a b"@пример.example`, `"a b"@xn--e1afmkfd.example`},
		{"a@b.example", "a@b.example"},
		{"a@[192.0.2.1]", "a@[192.0.2.1]"},
	} {
		u, a := mailbox(t, c.unicode), mailbox(t, c.ascii)
		if got, err := u.ToASCII(); err != nil || got != a {
			t.Errorf("%s in ASCII: %s, %v; want %s", u, got, err, a)
		}
		if got := a.ToUnicode(); got != u {
			t.Errorf("%s in Unicode: %s, want %s", a, got, u)
		}
		if !u.Equal(a) || !a.Equal(u) {
			t.Errorf("%s and %s should be equal", u, a)
		}
		if !a.IsASCII() {
			t.Errorf("%s is ASCII", a)
		}
	}
}

func TestAddressesThatHaveNoASCIIForm(t *testing.T) {
	if _, err := mailbox(t, "josé@b.example").ToASCII(); !errors.Is(err, ErrNeedsSMTPUTF8) {
		t.Errorf("a local part in UTF-8: %v, want ErrNeedsSMTPUTF8", err)
	}
	for _, s := range []string{
		"a@b\u202ec.example",            // no character of a domain
		"a@b＞c.example",                 // a '>' in disguise
		"a@" + strings.Repeat("éa", 40), // a label beyond 63 octets
		strings.Repeat("x", 64) + "@" + strings.Repeat("é.", 60) + "example", // too long a path
	} {
		if q, err := mailbox(t, s).ToASCII(); err == nil {
			t.Errorf("%s in ASCII is %q, want an error", s, q)
		}
	}
}

func TestLabelsThatOnlyLookLikeALabelsStay(t *testing.T) {
	for _, s := range []string{"a@xn--a.example", "a@xn--.example", "a@xn---.example", "a@xn--" + strings.Repeat("a", 59) + ".example"} {
		p, err := ParseMailbox(s)
		if err == nil && p.ToUnicode() != p {
			t.Errorf("%s in Unicode is %s", p, p.ToUnicode())
		}
	}
}

func TestMailboxesThatAreTheSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"a@b.example", "a@B.EXAMPLE", true},
		{"a@b.example", "A@b.example", false},
		{`"a"@b.example`, "a@b.example", true},
		{`"\a"@b.example`, "a@b.example", true},
		{`"a b"@b.example`, "ab@b.example", false},
		{"postmaster", "PostMaster", true},
		{"postmaster@b.example", "POSTMASTER@b.example", true},
		{"postmaster", "postmaster@b.example", false},
		{"", "", true},
		{"", `""@b.example`, false},
	} {
		a, b := mailbox(t, c.a), mailbox(t, c.b)
		if a.Equal(b) != c.same || b.Equal(a) != c.same {
			t.Errorf("%q and %q the same: %t, want %t", a, b, a.Equal(b), c.same)
		}
	}
}

func TestLiteralsAsAddresses(t *testing.T) {
	for _, s := range []string{"192.0.2.1", "2001:db8::1", "::1"} {
		ip := netip.MustParseAddr(s)
		p := mailbox(t, "a@"+FormatLiteral(ip))
		if got, ok := p.Literal(); !ok || got != ip {
			t.Errorf("%s: %v, %t", p, got, ok)
		}
	}
	if got := FormatLiteral(netip.MustParseAddr("::ffff:192.0.2.1")); got != "[192.0.2.1]" {
		t.Error(got)
	}
	if got := FormatLiteral(netip.MustParseAddr("fe80::1%eth0")); got != "[IPv6:fe80::1]" {
		t.Error(got)
	}
	for _, s := range []string{"a@[x400:c=de]", "a@[2001:db8::1]", "a@b.example", "postmaster"} {
		if a, ok := mailbox(t, s).Literal(); ok {
			t.Errorf("%s is the address %v", s, a)
		}
	}
}

func mailbox(t *testing.T, s string) Path {
	t.Helper()
	var p Path
	if err := p.UnmarshalText([]byte(s)); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return p
}
