package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Pattern is a set of addresses, as it was written:
//
//	example.org        addresses of the domain
//	.example.org       addresses of what is below it, at any depth; also *.example.org
//	mx*.example.*      addresses of domains; a star stands for any characters
//	[192.0.2.1]        addresses of the literal
//	info@example.org   one address
//	<>                 the null sender
//	*                  every address
type Pattern string

// readPattern checks how a pattern is written.
func readPattern(s string) (Pattern, error) {
	var err error
	switch {
	case s == "*" || s == "<>":
	case strings.Contains(s, "@") && strings.Contains(s, "*"):
		err = errors.New("one address has no stars; all of a domain are its name alone")
	case strings.Contains(s, "@"):
		_, err = smtp.ParseMailbox(s)
	default:
		err = checkDomainPattern(s)
	}
	if err != nil {
		return "", fmt.Errorf("%q is no pattern of addresses: %w", clip(s), err)
	}
	return Pattern(s), nil
}

func checkDomainPattern(s string) error {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "*."), ".")
	if strings.Contains(s, "*") && !isASCII(s) {
		return errors.New("with stars it is compared as A-labels, and so has to be ASCII")
	}
	if !strings.Contains(s, "*") {
		_, err := smtp.ParseMailbox("x@" + s)
		return err
	}
	_, err := smtp.ParseDomain(strings.Trim(strings.ReplaceAll(s, "*", "x"), "."))
	return err
}

// below returns the domain of a pattern for what is below it.
func (p Pattern) below() (domain string, ok bool) {
	s := string(p)
	rest, ok := strings.CutPrefix(strings.TrimPrefix(s, "*"), ".")
	return mail.FoldDomain(rest), ok && !strings.Contains(rest, "*")
}

// covers reports whether every address of q is one of p. Of patterns with stars
// inside it only says so if they are the same.
func (p Pattern) covers(q Pattern) bool {
	if p == "*" || strings.EqualFold(string(p), string(q)) {
		return true
	}
	if q == "*" || q == "<>" || p == "<>" {
		return false
	}
	domain := mail.FoldDomain(string(q))
	if _, of, ok := cutAddress(string(q)); ok {
		domain = mail.FoldDomain(of)
	}
	if under, ok := q.below(); ok {
		domain = "x." + under // stands for each of them
	} else if strings.Contains(string(q), "*") {
		return false
	}
	if own, ok := p.below(); ok {
		return strings.HasSuffix(domain, "."+own)
	}
	return mail.FoldDomain(string(p)) == domain
}

// cutAddress splits an address at its last '@'.
func cutAddress(s string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", "", false
	}
	return s[:at], s[at+1:], true
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
