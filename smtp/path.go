package smtp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Lengths that RFC 5321, 4.5.3.1 sets, in octets.
const (
	MaxLocalPart = 64
	MaxDomain    = 255
	MaxPath      = 256 // angle brackets included
)

// Path is a reverse-path or forward-path (RFC 5321, 4.1.2): the mailbox
// between the angle brackets. The zero value is the null reverse-path "<>".
//
// The local part is kept exactly as it was written, quotes included, because
// only the host that owns it may read anything into it. A source route is read
// and dropped (RFC 5321, appendix C). Both parts may hold UTF-8 (RFC 6531, 3.3).
//
// A Path that is not null is made by a parser, so it cannot carry CR, LF, NUL
// or another control character, nor a '>' outside a quoted local part.
type Path struct {
	local  string
	domain string
}

// Postmaster is the path "<postmaster>", the only forward-path without a
// domain (RFC 5321, 4.1.1.3).
var Postmaster = Path{local: postmaster}

const postmaster = "postmaster"

// ParsePath reads a whole path with its angle brackets, such as "<a@b.example>",
// "<>" or "<@relay.example:a@b.example>".
func ParsePath(s string) (Path, error) {
	p, rest, err := cutPath(s)
	if err != nil {
		return Path{}, err
	}
	if rest != "" {
		return Path{}, fmt.Errorf("%q follows the path", clip(rest))
	}
	return p, nil
}

// ParseMailbox reads a mailbox without angle brackets, such as "a@b.example"
// or "postmaster".
func ParseMailbox(s string) (Path, error) {
	p, rest, err := cutMailbox(s)
	if err != nil {
		return Path{}, err
	}
	if rest != "" {
		return Path{}, fmt.Errorf("%q follows the address", clip(rest))
	}
	return p, nil
}

// Local returns the local part as it was written, quotes included.
func (p Path) Local() string { return p.local }

// Domain returns the domain or address literal as it was written, "" for the
// null path and for <postmaster>.
func (p Path) Domain() string { return p.domain }

// IsNull reports whether p is "<>".
func (p Path) IsNull() bool { return p.local == "" }

// String prints the mailbox without angle brackets, "" for the null path.
func (p Path) String() string {
	if p.domain == "" {
		return p.local
	}
	return p.local + "@" + p.domain
}

// append prints the path with its angle brackets.
func (p Path) append(dst []byte) []byte {
	dst = append(append(dst, '<'), p.local...)
	if p.domain != "" {
		dst = append(append(dst, '@'), p.domain...)
	}
	return append(dst, '>')
}

// MarshalText prints like [Path.String].
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Path) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*p = Path{}
		return nil
	}
	*p, err = ParseMailbox(string(text))
	return err
}

// Mailbox returns the local part with the quoting of RFC 5321 undone, the form
// in which a directory knows it.
func (p Path) Mailbox() string {
	if !strings.HasPrefix(p.local, `"`) {
		return p.local
	}
	var b strings.Builder
	inner := p.local[1 : len(p.local)-1]
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+1 < len(inner) {
			i++
		}
		b.WriteByte(inner[i])
	}
	return b.String()
}

// Equal reports whether both paths name the same mailbox: local parts equal
// but for quoting, and for case if they are "postmaster" (RFC 5321, 4.1.1.3);
// domains equal but for case (RFC 5321, 2.4) and IDNA form.
func (p Path) Equal(q Path) bool {
	if p.IsNull() || q.IsNull() {
		return p == q
	}
	a, b := p.Mailbox(), q.Mailbox()
	same := a == b || equalFold(postmaster, a) && equalFold(postmaster, b)
	return same && (p.domain == q.domain || foldDomain(p.domain) == foldDomain(q.domain))
}

func foldDomain(d string) string {
	if !isASCII(d) {
		if a, err := idna.Lookup.ToASCII(d); err == nil {
			d = a
		}
	}
	return strings.ToLower(d)
}

// IsASCII reports whether the path can be sent without SMTPUTF8.
func (p Path) IsASCII() bool { return isASCII(p.local) && isASCII(p.domain) }

// ErrNeedsSMTPUTF8 says that an address can only be sent to a peer that offers
// SMTPUTF8 (RFC 6531).
var ErrNeedsSMTPUTF8 = errors.New("address needs SMTPUTF8")

// ToASCII returns the path with an internationalised domain turned into
// A-labels, for a peer without SMTPUTF8. A local part that is not ASCII has no
// such form: the error is [ErrNeedsSMTPUTF8].
func (p Path) ToASCII() (Path, error) {
	if !isASCII(p.local) {
		return Path{}, fmt.Errorf("%s: %w", p, ErrNeedsSMTPUTF8)
	}
	if isASCII(p.domain) {
		return p, nil
	}
	d, err := idna.Lookup.ToASCII(p.domain)
	if err == nil {
		d, err = ParseDomain(d)
	}
	if err != nil {
		return Path{}, fmt.Errorf("domain of %s: %w", p, err)
	}
	q, err := pathOf(p.local, d)
	if err != nil {
		return Path{}, fmt.Errorf("%s in ASCII: %w", p, err)
	}
	return q, nil
}

// ToUnicode returns the path with A-labels turned into Unicode, for people to
// read. A domain with a label that only looks like an A-label, or one that is
// too long in Unicode, stays as it is.
func (p Path) ToUnicode() Path {
	if !strings.Contains(strings.ToLower(p.domain), "xn--") {
		return p
	}
	d, err := idna.Lookup.ToUnicode(p.domain)
	if err == nil {
		d, err = ParseDomain(d)
	}
	if err != nil {
		return p
	}
	q, err := pathOf(p.local, d)
	if err != nil {
		return p
	}
	return q
}

// pathOf joins two parts, if the path is not too long with them.
func pathOf(local, domain string) (Path, error) {
	if n := len("<@>") + len(local) + len(domain); n > MaxPath {
		return Path{}, fmt.Errorf("path has %d octets, %d are allowed", n, MaxPath)
	}
	return Path{local, domain}, nil
}

// Literal returns the IP address if the domain is an IPv4 or IPv6 address
// literal such as "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321, 4.1.3).
func (p Path) Literal() (netip.Addr, bool) { return ParseLiteral(p.domain) }

// ParseLiteral reads an IPv4 or IPv6 address literal with its brackets.
func ParseLiteral(s string) (netip.Addr, bool) {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return netip.Addr{}, false
	}
	s = s[1 : len(s)-1]
	wantV6 := len(s) >= 5 && equalFold("IPv6:", s[:5])
	if wantV6 {
		s = s[5:]
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4() == wantV6 {
		return netip.Addr{}, false
	}
	return a, true
}

// FormatLiteral prints an address as the literal of RFC 5321, 4.1.3.
func FormatLiteral(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return "[" + a.String() + "]"
	}
	return "[IPv6:" + a.String() + "]"
}

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

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isLetDig(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// isAtext is the atext of RFC 5322, 3.2.3.
func isAtext(c byte) bool {
	return isLetDig(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// clip shortens what an error quotes from the other side.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
