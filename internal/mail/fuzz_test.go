package mail_test

import (
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
)

// FuzzParseID: what is read as an ID is printed as it was read, but for case.
func FuzzParseID(f *testing.F) {
	for _, s := range []string{"", "03e6nkxfftfrw36gx8s0", "03E6NKXFFTFRW36GX8S0", "03e6nkxfftfrw36gx8s1", "zzzzzzzzzzzzzzzzzzzz", "03e6nkxfftfrw36gx8s0\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := mail.ParseID(s); err == nil && id.String() != strings.ToLower(s) {
			t.Errorf("%q was read as %s", s, id)
		}
	})
}

// FuzzFold: what is folded stays as it is, and nothing becomes ASCII that was not.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "Bücher.Example", "mi\u212ae", "M\u0130KE", "ΣΑΣ", "xn--BCHER-kva.example", "[IPv6:::1]", "\xff", "\u04c0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		local, domain := mail.FoldLocal(s), mail.FoldDomain(s)
		if mail.FoldLocal(local) != local {
			t.Errorf("the local part %q becomes %q, and then %q", s, local, mail.FoldLocal(local))
		}
		if mail.FoldDomain(domain) != domain {
			t.Errorf("the domain %q becomes %q, and then %q", s, domain, mail.FoldDomain(domain))
		}
		if !ascii(s) && ascii(local) {
			t.Errorf("the local part %q becomes %q", s, local)
		}
	})
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
