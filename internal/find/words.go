package find

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// maxWords bounds how many words of a text can be found, and maxWord how long one
	// may be, in octets: of a longer one its start counts.
	maxWords = 200
	maxWord  = 64
)

// fold makes alike what people take to be the same.
func fold(s string) string {
	s = strings.ToLower(s)
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return norm.NFKC.String(s)
		}
	}
	return s
}

// appendFold appends a text as fold returns it.
func appendFold(b []byte, s string) []byte {
	start := len(b)
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return append(b[:start], fold(s)...)
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// words calls add with each word by which a text is to be found: runs of letters and
// digits, whatever joins such runs without a space ("4.7.1", "mx.sina.example"), and
// of scripts that have no spaces the pairs of characters.
func words(text string, add func(word string)) {
	left := maxWords
	each := func(w string) {
		if left > 0 {
			left--
			add(clip(w))
		}
	}
	for field := range strings.FieldsSeq(fold(text)) {
		cut(field, each)
	}
}

func clip[S string | []byte](w S) S {
	if len(w) <= maxWord {
		return w
	}
	w = w[:maxWord]
	for !utf8.ValidString(string(w)) {
		w = w[:len(w)-1]
	}
	return w
}

// cut takes a text without spaces apart.
func cut(s string, add func(string)) {
	whole := strings.TrimFunc(s, notOfWord)
	if len(whole) > 1 && joined(whole) {
		add(whole)
	}
	for len(whole) > 0 {
		end := strings.IndexFunc(whole, notOfWord)
		if end < 0 {
			end = len(whole)
		}
		run(whole[:end], add)
		whole = strings.TrimLeftFunc(whole[end:], notOfWord)
	}
}

// joined: there is something between its words, and it is of a script with spaces.
func joined(s string) bool {
	return strings.IndexFunc(s, notOfWord) >= 0 && strings.IndexFunc(s, dense) < 0
}

// run takes letters and digits apart where the script changes.
func run(s string, add func(string)) {
	for len(s) > 0 {
		first, _ := utf8.DecodeRuneInString(s)
		end := strings.IndexFunc(s, func(r rune) bool { return dense(r) != dense(first) })
		if end < 0 {
			end = len(s)
		}
		if dense(first) {
			pairs(s[:end], add)
		} else {
			add(s[:end])
		}
		s = s[end:]
	}
}

// pairs are two characters each, and the last one alone.
func pairs(s string, add func(string)) {
	for len(s) > 0 {
		_, one := utf8.DecodeRuneInString(s)
		_, two := utf8.DecodeRuneInString(s[one:])
		add(s[:one+two])
		s = s[one:]
	}
}

// dense: the script has no spaces between its words.
func dense(r rune) bool {
	return r >= utf8.RuneSelf && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai)
}

func notOfWord(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Mc, r)
}
