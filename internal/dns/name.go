package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Name is a domain name: lower case, A-labels, without the final dot. The zero
// value is the root, ".". Names that are the same are equal.
type Name struct{ text string }

// maxName is how many octets a name may have (RFC 1035, 2.3.4: 255 with the
// length of each label and the root).
const maxName = 253

// ParseName reads a domain name, with or without a final dot. Labels past ASCII
// become A-labels. A label holds letters, digits, hyphens and underscores; one
// that is only digits cannot come last, so that no name is taken for an address.
func ParseName(s string) (Name, error) {
	if s == "." {
		return Name{}, nil
	}
	t := strings.TrimSuffix(s, ".")
	if !isASCII(t) {
		if !utf8.ValidString(t) { // idna would guess
			return Name{}, fmt.Errorf("name %s: is not valid UTF-8", quote(s))
		}
		a, err := idna.Lookup.ToASCII(t)
		if err != nil {
			return Name{}, fmt.Errorf("name %s: %w", quote(s), err)
		}
		t = a
	}
	if err := check(t); err != nil {
		return Name{}, fmt.Errorf("name %s: %w", quote(s), err)
	}
	return Name{strings.ToLower(t)}, nil
}

func check(s string) error {
	if len(s) > maxName {
		return fmt.Errorf("has %d octets, %d are allowed", len(s), maxName)
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if err := checkLabel(label); err != nil {
			return err
		}
		last = label
	}
	if strings.Trim(last, "0123456789") == "" {
		return errors.New("has a number as its last label")
	}
	return nil
}

func checkLabel(l string) error {
	switch {
	case l == "":
		return errors.New("has an empty label")
	case len(l) > 63:
		return fmt.Errorf("has a label of %d octets, 63 are allowed", len(l))
	case l[0] == '-' || l[len(l)-1] == '-':
		return errors.New("has a label that begins or ends with a hyphen")
	}
	for i := range len(l) {
		if c := l[i] | 0x20; (c < 'a' || c > 'z') && (l[i] < '0' || l[i] > '9') && l[i] != '-' && l[i] != '_' {
			return fmt.Errorf("holds %q", l[i:i+1])
		}
	}
	return nil
}

// String prints the name without its final dot, the root as ".".
func (n Name) String() string {
	if n.text == "" {
		return "."
	}
	return n.text
}

// Below returns a name under this one: "_25._tcp" below mx.example.org is
// _25._tcp.mx.example.org. The error says that it would be too long, or that labels are none.
func (n Name) Below(labels string) (Name, error) {
	if n.IsRoot() {
		return ParseName(labels)
	}
	return ParseName(labels + "." + n.text)
}

// IsRoot reports whether the name is ".", as in a null MX (RFC 7505).
func (n Name) IsRoot() bool { return n.text == "" }

// Within reports whether the name is parent, or below it.
func (n Name) Within(parent Name) bool {
	return parent.text == "" || n.text == parent.text || strings.HasSuffix(n.text, "."+parent.text)
}

// Compare orders names by their text.
func (n Name) Compare(other Name) int { return strings.Compare(n.text, other.text) }

// Reverse returns the name under which the PTR records of an address are kept
// (RFC 1035, 3.5; RFC 3596, 2.5).
func Reverse(a netip.Addr) Name {
	a = a.Unmap()
	var b strings.Builder
	octets := a.AsSlice()
	for i := len(octets) - 1; i >= 0; i-- {
		if a.Is4() {
			b.WriteString(strconv.Itoa(int(octets[i])) + ".")
			continue
		}
		const hex = "0123456789abcdef"
		b.Write([]byte{hex[octets[i]&15], '.', hex[octets[i]>>4], '.'})
	}
	if a.Is4() {
		return Name{b.String() + "in-addr.arpa"}
	}
	return Name{b.String() + "ip6.arpa"}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// quote prints what may be hostile, and not all of it.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
