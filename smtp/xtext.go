package smtp

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// appendXText encodes s as xtext (RFC 3461, 4): printable ASCII but '+' and
// '=' stands for itself, everything else is written as "+" and two hex digits.
func appendXText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; isXChar(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '+', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}

// xtextLen is how long s is as xtext.
func xtextLen(s string) int {
	n := len(s)
	for i := range len(s) {
		if !isXChar(s[i]) {
			n += 2
		}
	}
	return n
}

func isXChar(c byte) bool { return c > ' ' && c < 0x7f && c != '+' && c != '=' }

// decodeXText undoes [appendXText]. What stands for itself though it should not
// is let through: whoever uses the value checks what it may hold.
func decodeXText(s string) (string, error) {
	if !strings.Contains(s, "+") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '+' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) || hexValue(s[i+1]) < 0 || hexValue(s[i+2]) < 0 {
			return "", errors.New("two hex digits follow a '+'")
		}
		b.WriteByte(byte(hexValue(s[i+1])<<4 | hexValue(s[i+2])))
		i += 2
	}
	return b.String(), nil
}

// appendUniText encodes s as the utf-8-addr-xtext of RFC 6533, 3, which may be
// sent whether SMTPUTF8 is offered or not: "\x{E9}" stands for a character that
// is not ASCII, and for '\\', '+', '=' and the space.
func appendUniText(dst []byte, s string) []byte {
	for _, r := range s {
		if r < utf8.RuneSelf && isXChar(byte(r)) && r != '\\' {
			dst = append(dst, byte(r))
			continue
		}
		dst = append(dst, `\x{`...)
		digits := 2
		for r>>(4*digits) > 0 {
			digits++
		}
		for ; digits > 0; digits-- {
			dst = append(dst, hexDigits[r>>(4*(digits-1))&15])
		}
		dst = append(dst, '}')
	}
	return dst
}

func decodeUniText(s string) (string, error) {
	var b strings.Builder
	for {
		before, rest, escape := strings.Cut(s, `\`)
		b.WriteString(before)
		if !escape {
			return b.String(), nil
		}
		digits, after, ok := strings.Cut(rest, "}")
		digits, x := strings.CutPrefix(digits, "x{")
		n, err := strconv.ParseUint(digits, 16, 21)
		if !ok || !x || err != nil || len(digits) > 6 || !utf8.ValidRune(rune(n)) {
			return "", errors.New(`a backslash begins a character such as \x{E9}`)
		}
		b.WriteRune(rune(n))
		s = after
	}
}

// isPrintable reports whether s is all of printable ASCII, spaces included.
func isPrintable(s string) bool { return isASCII(s) && !hasControl(s) }

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
