package smtp

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The syntax of paths (RFC 5321, 4.1.2, and RFC 6531, 3.3). The functions named
// cut read something at the start of a string and return it with the rest;
// those named Len return how many octets it has. All are linear in its length.

// cutPath reads a path with its angle brackets at the start of s.
func cutPath(s string) (p Path, rest string, err error) {
	if s == "" || s[0] != '<' {
		return Path{}, s, errors.New("a path begins with '<'")
	}
	whole := s
	s = s[1:]
	if strings.HasPrefix(s, ">") {
		return Path{}, s[1:], nil
	}
	if strings.HasPrefix(s, "@") {
		if s, err = skipRoute(s); err != nil {
			return Path{}, whole, err
		}
	}
	p, s, err = cutMailbox(s)
	if err != nil {
		return Path{}, whole, err
	}
	if !strings.HasPrefix(s, ">") {
		return Path{}, whole, errors.New("a path ends with '>'")
	}
	return p, s[1:], nil
}

// skipRoute passes over "@one.example,@two.example:".
func skipRoute(s string) (string, error) {
	for {
		if s == "" || s[0] != '@' {
			return "", errors.New("each host of a source route begins with '@'")
		}
		n, err := domainLen(s[1:])
		if err != nil {
			return "", err
		}
		s = s[1+n:]
		if strings.HasPrefix(s, ":") {
			return s[1:], nil
		}
		if !strings.HasPrefix(s, ",") {
			return "", errors.New("a source route ends with ':'")
		}
		s = s[1:]
	}
}

// cutMailbox reads local-part@domain, or "postmaster" alone, at the start of s.
func cutMailbox(s string) (Path, string, error) {
	n, err := localLen(s)
	if err != nil {
		return Path{}, s, err
	}
	local, rest := s[:n], s[n:]
	if n > MaxLocalPart {
		return Path{}, s, fmt.Errorf("local part has %d octets, %d are allowed", n, MaxLocalPart)
	}
	if !strings.HasPrefix(rest, "@") {
		if equalFold(postmaster, local) {
			return Path{local: local}, rest, nil
		}
		return Path{}, s, errors.New("address has no domain")
	}
	rest = rest[1:]
	d, err := domainLen(rest)
	if err != nil {
		return Path{}, s, err
	}
	p, err := pathOf(local, rest[:d])
	if err != nil {
		return Path{}, s, err
	}
	return p, rest[d:], nil
}

// localLen measures the dot-string or quoted-string at the start of s.
func localLen(s string) (int, error) {
	if strings.HasPrefix(s, `"`) {
		return quotedLen(s)
	}
	n, atom := 0, 0
	for n < len(s) {
		c := s[n]
		switch {
		case c == '.':
			if n == atom {
				return 0, errors.New("local part has a dot at its start or two in a row")
			}
			n++
			atom = n
		case c >= utf8.RuneSelf:
			size, err := utf8Len(s[n:])
			if err != nil {
				return 0, err
			}
			n += size
		case isAtext(c):
			n++
		default:
			return n, localEnds(s, n, atom)
		}
	}
	return n, localEnds(s, n, atom)
}

func localEnds(s string, n, atom int) error {
	switch {
	case n == 0 && s == "":
		return errors.New("address is empty")
	case n == 0:
		return fmt.Errorf("%q cannot begin a local part", s[:1])
	case n == atom:
		return errors.New("local part ends with a dot")
	}
	return nil
}

// quotedLen measures the quoted-string at the start of s.
func quotedLen(s string) (int, error) {
	for n := 1; n < len(s); {
		switch c := s[n]; {
		case c == '"':
			return n + 1, nil
		case c == '\\':
			if n+1 == len(s) || s[n+1] < ' ' || s[n+1] > '~' {
				return 0, errors.New("backslash in a quoted local part quotes a printable character")
			}
			n += 2
		case c >= utf8.RuneSelf:
			size, err := utf8Len(s[n:])
			if err != nil {
				return 0, err
			}
			n += size
		case c < ' ' || c == 0x7f:
			return 0, errors.New("control character in a quoted local part")
		default:
			n++
		}
	}
	return 0, errors.New("quoted local part has no closing quote")
}

// domainLen measures the domain or address literal at the start of s.
// Underscores are let through, since names with them exist and send mail.
func domainLen(s string) (int, error) {
	if strings.HasPrefix(s, "[") {
		return literalLen(s)
	}
	n, label := 0, 0
	for n < len(s) {
		c := s[n]
		switch {
		case c == '.':
			if err := checkLabel(s[label:n]); err != nil {
				return 0, err
			}
			n++
			label = n
		case c >= utf8.RuneSelf:
			size, err := utf8Len(s[n:])
			if err != nil {
				return 0, err
			}
			n += size
		case isLetDig(c) || c == '-' || c == '_':
			n++
		default:
			return n, domainEnds(s, n, label)
		}
	}
	return n, domainEnds(s, n, label)
}

func domainEnds(s string, n, label int) error {
	if n == 0 {
		return errors.New("domain is missing")
	}
	if n > MaxDomain {
		return fmt.Errorf("domain has %d octets, %d are allowed", n, MaxDomain)
	}
	return checkLabel(s[label:n])
}

func checkLabel(l string) error {
	switch {
	case l == "":
		return errors.New("domain has an empty label")
	case l[0] == '-' || l[len(l)-1] == '-':
		return errors.New("a label of the domain begins or ends with a hyphen")
	case len(l) > 63 && isASCII(l):
		return fmt.Errorf("a label of the domain has %d octets, 63 are allowed", len(l))
	}
	return nil
}

// literalLen measures an address literal: IPv4, IPv6 or General
// (RFC 5321, 4.1.3).
func literalLen(s string) (int, error) {
	end := strings.IndexByte(s, ']')
	if end < 0 || end > MaxDomain {
		return 0, errors.New("address literal has no ']'")
	}
	if _, ok := ParseLiteral(s[:end+1]); ok {
		return end + 1, nil
	}
	tag, content, ok := strings.Cut(s[1:end], ":")
	if !ok || strings.EqualFold(tag, "IPv6") || !isTag(tag) || content == "" {
		return 0, fmt.Errorf("%q is no address literal", clip(s[:end+1]))
	}
	for i := range len(content) {
		if c := content[i]; c <= ' ' || c >= 0x7f || c == '[' || c == '\\' || c == '<' || c == '>' {
			return 0, fmt.Errorf("%q is no address literal", clip(s[:end+1]))
		}
	}
	return end + 1, nil
}

func isTag(s string) bool {
	for i := range len(s) {
		if !isLetDig(s[i]) && s[i] != '-' {
			return false
		}
	}
	return s != "" && s[len(s)-1] != '-'
}

// ParseDomain checks a domain or an address literal that is all of s, and
// returns it as it is. It may be in Unicode; a client does not send it as such in
// EHLO (RFC 6531, 3.7.1).
func ParseDomain(s string) (string, error) {
	n, err := domainLen(s)
	if err != nil {
		return "", err
	}
	if n < len(s) {
		return "", fmt.Errorf("%q is neither a domain nor an address literal", clip(s))
	}
	return s, nil
}

func utf8Len(s string) (int, error) {
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size <= 1 {
		return 0, errors.New("address is not valid UTF-8")
	}
	if r < 0xa0 { // C1 controls
		return 0, errors.New("control character in an address")
	}
	return size, nil
}
