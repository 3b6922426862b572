package smtp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

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
	dst, _ = p.AppendText(append(dst, '<'))
	return append(dst, '>')
}

// AppendText implements [encoding.TextAppender]: it prints like [Path.String], and its
// error is nil.
func (p Path) AppendText(dst []byte) ([]byte, error) {
	dst = append(dst, p.local...)
	if p.domain != "" {
		dst = append(append(dst, '@'), p.domain...)
	}
	return dst, nil
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

// Mailbox returns the local part with the quoting of RFC 5321 undone: `"jo smith"`
// is jo smith. Directories know users in this form.
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
// read. If the domain has no valid Unicode form it stays as it is.
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

// pathOf makes a path of its two parts. The error says that it is too long.
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
