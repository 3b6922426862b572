package mail_test

import (
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
)

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Sina.COM": "sina.com", "bücher.example": "xn--bcher-kva.example", "BÜCHER.example": "xn--bcher-kva.example",
		"xn--BCHER-kva.example": "xn--bcher-kva.example", "ｓｉｎａ。com": "sina.com", "[IPv6:::1]": "[ipv6:::1]", "": "",
		"no domain é": "no domain é",
	} {
		if got := mail.FoldDomain(in); got != want {
			t.Errorf("the domain %q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"Bob": "bob", "MÜLLER": "müller", "ΣΑΣ": "σασ", "mi\u212ae": "mi\u212ae", "M\u0130KE": "m\u0130ke", "po\u017ftmaster": "po\u017ftmaster",
		"": "",
	} {
		if got := mail.FoldLocal(in); got != want {
			t.Errorf("the local part %q: got %q, want %q", in, got, want)
		}
	}
}
