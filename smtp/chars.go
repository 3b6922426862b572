package smtp

import (
	"strings"
	"unicode/utf8"
)

// What the parsers of this package ask of a string or an octet.

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
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

func isLetDig(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// isAtext is the atext of RFC 5322, 3.2.3.
func isAtext(c byte) bool {
	return isLetDig(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// equalFold compares a word of the protocol, in ASCII, with one that was read.
// Equal lengths keep out what Unicode counts as the same letter: U+017F, the
// long s, is two octets.
func equalFold(word, read string) bool {
	return len(word) == len(read) && (word == "" || (word[0]^read[0])&^0x20 == 0) && strings.EqualFold(word, read)
}

// upper turns a word into capitals, if it is ASCII.
func upper(s string) string {
	if !isASCII(s) {
		return s
	}
	return strings.ToUpper(s)
}

// clip shortens what an error quotes from the other side.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
