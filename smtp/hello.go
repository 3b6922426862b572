package smtp

import (
	"errors"
	"fmt"
)

// Hello is HELO, EHLO or LHLO.
type Hello struct {
	With   Verb   // VerbHELO, VerbEHLO or VerbLHLO
	Domain string // domain or address literal
}

// Verb implements [Command].
func (c Hello) Verb() Verb { return c.With }

// parseHost reads a domain where it has to be ASCII (RFC 6531, 3.7.1).
func parseHost(s string) (string, error) {
	if !isASCII(s) {
		return "", errors.New("a domain that is not ASCII is written with A-labels")
	}
	return ParseDomain(s)
}

func (c Hello) line(dst []byte) ([]byte, error) {
	if c.With != VerbHELO && c.With != VerbEHLO && c.With != VerbLHLO {
		return dst, errors.New("Hello.With is not HELO, EHLO or LHLO")
	}
	if _, err := parseHost(c.Domain); err != nil {
		return dst, fmt.Errorf("%s: %w", c.With, err)
	}
	return append(append(append(dst, c.With.String()...), ' '), c.Domain...), nil
}
