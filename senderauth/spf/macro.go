package spf

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// macroString is a parsed macro-string (RFC 7208, 7.1): literal text and
// macros, in order.
type macroString []macroPart

// macroPart is text, or a macro if letter is not 0.
type macroPart struct {
	text    string
	letter  byte // in lower case
	escape  bool // the letter was in upper case
	keep    int  // parts of the right-hand side; 0: all
	reverse bool
	delims  string
	escaped bool // text came from %%, %_ or %-
}

// parseMacros reads a macro-string. explanation allows the letters c, r and t,
// and spaces (RFC 7208, 7.2).
func parseMacros(s string, explanation bool) (macroString, error) {
	m := macroString{} // not nil, even if s is empty
	for s != "" {
		part, rest, err := parsePart(s, explanation)
		if err != nil {
			return nil, err
		}
		m, s = append(m, part), rest
	}
	return m, nil
}

func parsePart(s string, explanation bool) (part macroPart, rest string, err error) {
	if s[0] != '%' {
		return parseLiteral(s, explanation)
	}
	if len(s) < 2 {
		return part, "", errors.New("a lone % at the end")
	}
	switch s[1] {
	case '%':
		return macroPart{text: "%", escaped: true}, s[2:], nil
	case '_':
		return macroPart{text: " ", escaped: true}, s[2:], nil
	case '-':
		return macroPart{text: "%20", escaped: true}, s[2:], nil
	case '{':
		body, rest, ok := strings.Cut(s[2:], "}")
		if !ok || body == "" {
			return part, "", errors.New("a macro without end")
		}
		part, err = parseMacro(body, explanation)
		return part, rest, err
	}
	return part, "", fmt.Errorf("%%%q is no macro", s[1])
}

func parseLiteral(s string, explanation bool) (part macroPart, rest string, err error) {
	end := strings.IndexByte(s, '%')
	if end < 0 {
		end = len(s)
	}
	for i := range end {
		if c := s[i]; c > '~' || c < ' ' || c == ' ' && !explanation {
			return part, "", fmt.Errorf("octet %#02x is not allowed", c)
		}
	}
	return macroPart{text: s[:end]}, s[end:], nil
}

// parseMacro reads what stands in the braces: letter, digits, "r", delimiters.
func parseMacro(s string, explanation bool) (macroPart, error) {
	p := macroPart{letter: s[0] | 0x20, escape: s[0]&0x20 == 0}
	if !isAlpha(s[0]) || !strings.ContainsRune("slodiphv", rune(p.letter)) &&
		(!explanation || !strings.ContainsRune("crt", rune(p.letter))) {
		return p, fmt.Errorf("no macro letter: %q", s[0])
	}
	rest := strings.TrimLeft(s[1:], "0123456789")
	if digits := s[1 : len(s)-len(rest)]; digits != "" {
		n, err := strconv.Atoi(digits)
		if err == nil && n == 0 {
			return p, errors.New("a macro that keeps 0 parts")
		}
		p.keep = n // on overflow the largest int: all parts
	}
	if rest != "" && rest[0]|0x20 == 'r' {
		p.reverse, rest = true, rest[1:]
	}
	if strings.Trim(rest, ".-+,/_=") != "" {
		return p, fmt.Errorf("no macro delimiters: %.20q", rest)
	}
	p.delims = rest
	return p, nil
}

// parseDomainSpec reads a macro-string that ends in a macro or in a dot and
// a top label (RFC 7208, 7.1).
func parseDomainSpec(s string) (macroString, error) {
	m, err := parseMacros(s, false)
	if err != nil {
		return nil, err
	}
	if len(m) == 0 {
		return nil, errors.New("the domain is empty")
	}
	last := m[len(m)-1]
	if last.letter == 0 && !last.escaped && !endsInTopLabel(last.text) {
		return nil, errors.New("the domain does not end in a dot and a top-level domain")
	}
	return m, nil
}

func endsInTopLabel(s string) bool {
	s = strings.TrimSuffix(s, ".")
	dot := strings.LastIndexByte(s, '.')
	label := s[dot+1:]
	if dot < 0 || label == "" || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	numeric := true
	for i := range len(label) {
		if c := label[i]; !isDigit(c) {
			if !isAlpha(c) && c != '-' {
				return false
			}
			numeric = false
		}
	}
	return !numeric
}

// expand replaces the macros by what value returns for their letters. The
// result is at most maxExpansion octets long.
func (m macroString) expand(value func(letter byte) string) (string, error) {
	var b strings.Builder
	for _, part := range m {
		text := part.text
		if part.letter != 0 {
			text = part.transform(value(part.letter))
		}
		if b.Len()+len(text) > maxExpansion {
			return "", fmt.Errorf("the macros expand to more than %d octets", maxExpansion)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// maxExpansion allows every domain that RFC 7208, 7.3 would cut to 253 octets
// from a sane sender, and no explosion from the others.
const maxExpansion = 8 << 10

// transform does what the digits, the "r" and the delimiters say, and escapes
// for an URL if the letter was in upper case (RFC 7208, 7.3).
func (p macroPart) transform(s string) string {
	if p.keep > 0 || p.reverse || p.delims != "" {
		delims := p.delims
		if delims == "" {
			delims = "."
		}
		s = p.rearrange(splitAny(s, delims))
	}
	if p.escape {
		s = escapeURL(s)
	}
	return s
}

func (p macroPart) rearrange(parts []string) string {
	if p.reverse {
		slices.Reverse(parts)
	}
	if p.keep > 0 && p.keep < len(parts) {
		parts = parts[len(parts)-p.keep:]
	}
	return strings.Join(parts, ".")
}

// splitAny splits s at every octet that is in delims; empty parts stay.
func splitAny(s, delims string) (parts []string) {
	for {
		i := strings.IndexAny(s, delims)
		if i < 0 {
			return append(parts, s)
		}
		parts, s = append(parts, s[:i]), s[i+1:]
	}
}

// escapeURL escapes all but the unreserved characters of RFC 3986, 2.3.
func escapeURL(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isAlpha(c) || isDigit(c) || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
