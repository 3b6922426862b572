package letter

import (
	"iter"
	"strings"
)

// located is an address in plain text, and where it begins.
type located struct {
	text  string
	begin int
}

// schemes are what addresses in plain text begin with. The first octet that all of them
// have is the colon, by which they are found.
var schemes = []string{"https://", "http://", "mailto:"}

// addresses are those in a text, in order.
func addresses(text string) iter.Seq[located] {
	return func(yield func(located) bool) {
		for from := 0; ; {
			colon := strings.IndexByte(text[from:], ':')
			if colon < 0 {
				return
			}
			begin, end := addressAt(text[from:], colon)
			if end > 0 && !yield(located{text[from+begin : from+end], from + begin}) {
				return
			}
			from += max(end, colon+1)
		}
	}
}

// addressAt is where an address begins and ends whose scheme has this colon; its end is 0
// if there is none.
func addressAt(text string, colon int) (begin, end int) {
	for _, s := range schemes {
		begin = colon - strings.IndexByte(s, ':')
		head := begin + len(s)
		if begin < 0 || head > len(text) || !strings.EqualFold(text[begin:head], s) || begin > 0 && ofWord(text[begin-1]) {
			continue
		}
		if n := strings.IndexFunc(text[head:], endsAddress); n > 0 {
			return begin, head + n
		} else if n < 0 && head < len(text) {
			return begin, len(text)
		}
	}
	return 0, 0
}

func ofWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func endsAddress(r rune) bool { return r <= ' ' || strings.ContainsRune("<>\"'`", r) }

// withoutAddresses is a text with a space for each of its addresses.
func withoutAddresses(text string) string {
	var b strings.Builder
	from := 0
	for at := range addresses(text) {
		b.WriteString(text[from:at.begin])
		b.WriteByte(' ')
		from = at.begin + len(at.text)
	}
	b.WriteString(text[from:])
	return b.String()
}
