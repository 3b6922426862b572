package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/posthouse/posthouse/smtp"
)

// FoldDomain returns the form in which a domain is compared with others: A-labels in
// lower case (RFC 5890, 2.3.2.1). One that has none keeps its letters past ASCII, since
// another that resembles it may have A-labels. All who ask where mail for a domain goes
// use it, so that they mean the same one.
func FoldDomain(domain string) string {
	if strings.ContainsFunc(domain, pastASCII) {
		if p, err := smtp.ParseMailbox("x@" + domain); err == nil {
			if a, err := p.ToASCII(); err == nil {
				domain = a.Domain()
			}
		}
	}
	return LowerASCII(domain)
}

// LowerASCII puts the letters of ASCII in lower case, and leaves all others as they are.
func LowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// FoldLocal returns the form in which a local part, without quotes, is compared where
// case does not matter: lower case, but that no letter past ASCII becomes one of ASCII. The
// sign for Kelvin is no k, and nobody gets the mail of mike by writing it so.
func FoldLocal(local string) string {
	return strings.Map(func(r rune) rune {
		if lower := unicode.ToLower(r); !pastASCII(r) || pastASCII(lower) {
			return lower
		}
		return r
	}, local)
}

func pastASCII(r rune) bool { return r >= utf8.RuneSelf }
