package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Address is one mailbox (RFC 5322, 3.4): whom, and where.
type Address struct {
	// Name is the display name as people read it: neither quoted nor encoded.
	// It may be empty.
	Name string
	// Addr is the addr-spec as it stands in the message, a quoted local part
	// with its quotes: `jo@example.org`, `"jo smith"@example.org`,
	// `jo@[192.0.2.1]`. UTF-8 is allowed on both sides (RFC 6532).
	Addr string
}

// Group is a named list of mailboxes (RFC 5322, 3.4); it may have no members,
// as in "undisclosed-recipients:;".
type Group struct {
	Name    string // as people read it
	Members []Address
}

// Entry is one item of an [AddressList]: an [Address] or a [Group].
type Entry interface {
	// String prints the entry on one line, as in a header field.
	String() string

	print(*folder) error
	addresses() []Address
}

// AddressList is the value of a field like To (RFC 5322, 3.6.3).
type AddressList []Entry

// Addresses returns every mailbox of the list, those in groups too, in order.
func (l AddressList) Addresses() []Address {
	var all []Address
	for _, e := range l {
		all = append(all, e.addresses()...)
	}
	return all
}

// String prints the list on one line. Names past ASCII are encoded (RFC 2047);
// a control character in an addr-spec is printed as "?".
func (l AddressList) String() string { return oneLine(l.print) }

// String prints a on one line, as described at [AddressList.String].
func (a Address) String() string { return oneLine(a.print) }

// String prints g on one line, as described at [AddressList.String].
func (g Group) String() string { return oneLine(g.print) }

func (a Address) addresses() []Address { return []Address{a} }
func (g Group) addresses() []Address   { return g.Members }

func (l AddressList) print(f *folder) error {
	for i, e := range l {
		if i > 0 {
			f.glue(",")
		}
		if err := e.print(f); err != nil {
			return err
		}
	}
	return nil
}

func (a Address) print(f *folder) error {
	if err := checkValue(a.Name); err != nil && !f.oneLine {
		return err
	}
	addr, err := a.spec(f.raw)
	if err != nil {
		if !f.oneLine {
			return fmt.Errorf("%.80q: %w", a.Addr, err)
		}
		addr = strings.Map(printable, a.Addr)
	}
	if a.Name == "" {
		f.word(addr)
		return nil
	}
	f.phrase(a.Name)
	f.word("<" + addr + ">")
	return nil
}

func (g Group) print(f *folder) error {
	if err := checkValue(g.Name); err != nil && !f.oneLine {
		return err
	}
	f.phrase(g.Name)
	f.glue(":")
	for i, a := range g.Members {
		if i > 0 {
			f.glue(",")
		}
		if err := a.print(f); err != nil {
			return err
		}
	}
	f.glue(";")
	return nil
}

func oneLine(print func(*folder) error) string {
	f := folder{oneLine: true}
	_ = print(&f) // on one line nothing is refused
	return strings.TrimPrefix(string(f.buf), " ")
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && !isNonASCII(r) {
		return '?'
	}
	return r
}

var errLocalPart = errors.New("a local part past ASCII needs an internationalized message (SMTPUTF8)")

// spec returns the addr-spec as it goes into a header field or an envelope:
// as it is where UTF-8 is allowed, else with the domain in A-labels
// (RFC 5890), and an error if its local part is not ASCII.
func (a Address) spec(raw bool) (string, error) {
	local, domain, err := splitAddr(a.Addr)
	switch {
	case err != nil:
		return "", err
	case raw || isASCII(a.Addr):
		return a.Addr, nil
	case !isASCII(local):
		return "", errLocalPart
	}
	domain, err = asciiDomain(domain)
	return local + "@" + domain, err
}

// longestUDomain has room for 253 ASCII characters' worth of U-labels.
const longestUDomain = 4 * 255

// asciiDomain returns domain in A-labels (RFC 5890, 2.3.2.1).
func asciiDomain(domain string) (string, error) {
	if isASCII(domain) {
		return domain, nil
	}
	if len(domain) > longestUDomain { // encoding a label takes quadratic time
		return "", errors.New("the domain is too long")
	}
	a, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", errors.New("the domain cannot be written in ASCII: " + err.Error())
	}
	if !isDomain(a) { // some characters are mapped to nothing
		return "", errors.New("the domain cannot be written in ASCII")
	}
	return a, nil
}

// needsUTF8 says whether the address can be written only in UTF-8.
func (a Address) needsUTF8() bool {
	_, err := a.spec(false)
	return errors.Is(err, errLocalPart)
}

// splitAddr takes an addr-spec apart and checks both halves (RFC 5322, 3.4.1,
// without comments, white space and the obsolete forms; RFC 6532, 3.2).
func splitAddr(addr string) (local, domain string, err error) {
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return "", "", errors.New("the address has no @")
	}
	if !utf8.ValidString(addr) {
		return "", "", errNotUTF8
	}
	local, domain = addr[:at], addr[at+1:]
	switch {
	case !isDotAtom(local) && !isQuoted(local):
		return "", "", errors.New("the local part of the address is malformed")
	case !isDomain(domain) && !isDomainLiteral(domain):
		return "", "", errors.New("the domain of the address is malformed")
	}
	return local, domain, nil
}

// isDomain says whether s is a domain as RFC 5321, 4.1.2 has it, or could be one
// in U-labels; with "_" besides, which some hosts use. The rest of RFC 5322's
// dot-atom is in no address that works.
func isDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return false
		}
		for _, r := range label {
			if !isNonASCII(r) && !(r < 0x80 && (isAlphanumeric(byte(r)) || r == '-' || r == '_')) {
				return false
			}
		}
	}
	return true
}

// isQuoted says whether s is a quoted-string without line ends.
func isQuoted(s string) bool {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' || !isPlain(s, true) {
		return false
	}
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return false
		case '\\':
			if i++; i == len(s) {
				return false
			}
		}
	}
	return true
}

// isDomainLiteral says whether s is "[" dtext "]" (RFC 5322, 3.4.1).
func isDomainLiteral(s string) bool {
	if len(s) < 3 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	s = s[1 : len(s)-1]
	return isPlain(s, false) && !strings.ContainsAny(s, `[]\ `)
}

// anyNeedsUTF8 says whether one of the addresses can be written only in UTF-8.
func anyNeedsUTF8(list []Address) bool { return slices.ContainsFunc(list, Address.needsUTF8) }
