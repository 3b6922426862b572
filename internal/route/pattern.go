package route

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Pattern is a set of addresses. It is made by [ParsePattern].
type Pattern struct {
	text   string // as it was written
	kind   kind
	domain string // in the form of domainOf; for below: without the dot
	local  string // of one address; lower case
}

type kind uint8

const (
	exact   kind = iota // a domain
	below               // what is below a domain
	glob                // domains with stars
	address             // one mailbox
	null                // the null sender
	all                 // every address
)

// ParsePattern reads a pattern:
//
//	example.org        addresses of the domain
//	.example.org       addresses of what is below it, at any depth; also *.example.org
//	mx*.example.*      addresses of domains; a star stands for any characters, dots too
//	[192.0.2.1]        addresses of the literal
//	info@example.org   one address; upper and lower case are the same
//	<>                 the null sender
//	*                  every address, the null sender and <postmaster> too
//
// Domains are compared as A-labels and without regard to case.
func ParsePattern(s string) (Pattern, error) {
	p := Pattern{text: s}
	var err error
	switch at := strings.LastIndexByte(s, '@'); {
	case s == "*":
		p.kind = all
	case s == "<>":
		p.kind = null
	case at >= 0 && strings.Contains(s, "*"):
		err = errors.New("a pattern of one address has no stars")
	case at >= 0:
		err = p.parseAddress(s)
	default:
		err = p.parseDomain(s)
	}
	if err != nil {
		return Pattern{}, fmt.Errorf("pattern %q: %w", s, err)
	}
	return p, nil
}

func (p *Pattern) parseAddress(s string) error {
	path, err := smtp.ParseMailbox(s)
	p.kind, p.local, p.domain = address, mail.FoldLocal(path.Mailbox()), domainOf(path)
	return err
}

func (p *Pattern) parseDomain(s string) error {
	if rest, ok := strings.CutPrefix(s, "*."); ok && !strings.Contains(rest, "*") {
		s = "." + rest
	}
	p.kind = exact
	if rest, ok := strings.CutPrefix(s, "."); ok {
		p.kind, s = below, rest
	}
	if !strings.Contains(s, "*") {
		path, err := smtp.ParseMailbox("x@" + s)
		p.domain = domainOf(path)
		return err
	}
	if p.kind == below {
		return errors.New("a leading dot and stars exclude each other")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) {
		return errors.New("with stars it is compared as A-labels, and so has to be ASCII")
	}
	p.kind, p.domain = glob, strings.ToLower(s)
	// The stars apart it must be made of what names are made of.
	_, err := smtp.ParseDomain(strings.Trim(strings.ReplaceAll(s, "*", "x"), "."))
	return err
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Fits reports whether an address is one of the set.
func (p Pattern) Fits(a smtp.Path) bool { return p.matches(subjectOf(a)) }

// domainOf returns the domain of a path as A-labels in lower case.
func domainOf(p smtp.Path) string {
	return mail.FoldDomain(p.Domain())
}

// subject is an address that is held against patterns.
type subject struct {
	domain, local string
	null          bool
}

func subjectOf(p smtp.Path) subject {
	return subject{domain: domainOf(p), local: mail.FoldLocal(p.Mailbox()), null: p.IsNull()}
}

func (p *Pattern) matches(s subject) bool {
	switch p.kind {
	case exact:
		return s.domain == p.domain
	case below:
		return strings.HasSuffix(s.domain, "."+p.domain)
	case glob:
		return s.domain != "" && globMatch(p.domain, s.domain)
	case address:
		return s.domain == p.domain && s.local == p.local && !s.null
	case null:
		return s.null
	}
	return true
}

// covers reports whether every address of other is one of p. It may say no where
// that is true, for two patterns with stars.
func (p *Pattern) covers(other *Pattern) bool {
	if p.kind == all || *p == *other {
		return true
	}
	switch other.kind {
	case exact:
		return p.matches(subject{domain: other.domain, local: "\x00"})
	case address:
		return p.matches(subject{domain: other.domain, local: other.local})
	case below:
		return p.kind == below && (p.domain == other.domain || strings.HasSuffix(other.domain, "."+p.domain)) ||
			p.kind == glob && strings.HasPrefix(p.domain, "*") && globMatch(p.domain, "."+other.domain)
	}
	return p.kind == other.kind && p.domain == other.domain
}

// globMatch is linear in len(s) times the length of the longest part between
// stars.
func globMatch(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s = rest
	}
	return true
}
