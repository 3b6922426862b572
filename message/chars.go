package message

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// isAtext says whether c may stand in an atom (RFC 5322, 3.2.3).
func isAtext(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// isTokenChar says whether c may stand in a MIME token (RFC 2045, 5.1).
func isTokenChar(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}

// isNonASCII says whether r may stand where RFC 6532, 3.2 adds UTF-8: any
// character past ASCII that is neither a control nor a space nor a bad byte.
func isNonASCII(r rune) bool {
	return r >= 0x80 && r != utf8.RuneError && !unicode.IsControl(r) && !unicode.IsSpace(r)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isPlain says whether s is printable ASCII and spaces, or, with raw, such
// text with UTF-8 in it.
func isPlain(s string, raw bool) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r >= 0x80 && !(raw && isNonASCII(r)) {
			return false
		}
	}
	return true
}

// isAtom says whether s is one atom; with raw, RFC 6532's wider one.
func isAtom(s string, raw bool) bool {
	for _, r := range s {
		if !(r < 0x80 && isAtext(byte(r)) || raw && isNonASCII(r)) {
			return false
		}
	}
	return s != ""
}

func isDotAtom(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if !isAtom(word, true) {
			return false
		}
	}
	return true
}

// quote prints s as a quoted-string (RFC 5322, 3.2.4).
func quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}
