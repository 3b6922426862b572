package message

import (
	"cmp"
	"errors"
	"strings"
	"unicode/utf8"
)

const (
	softLine    = 78  // RFC 5322, 2.1.1: lines should be no longer
	encodedLine = 76  // RFC 2047, 2: those with an encoded word must be no longer
	hardLine    = 998 // RFC 5322, 2.1.1: none may be longer, without CRLF
)

var (
	errLineBreak = errors.New("contains a line break or a NUL")
	errNotUTF8   = errors.New("is not UTF-8")
	errLongWord  = errors.New("has a word too long for a line of 998 bytes (RFC 5322, 2.1.1)")
)

// checkValue refuses what no header field may hold, however it is encoded:
// what could end the field and begin another.
func checkValue(s string) error {
	if strings.ContainsAny(s, "\r\n\x00") {
		return errLineBreak
	}
	if !utf8.ValidString(s) {
		return errNotUTF8
	}
	return nil
}

// folder prints header fields word by word, and breaks the line before a word
// that would not fit (RFC 5322, 2.2.3).
type folder struct {
	buf     []byte
	start   int  // where the line begins in buf
	encodes bool // an encoded word is on the line
	raw     bool // UTF-8 may stand as it is (RFC 6532)
	oneLine bool // never break
	tooLong bool // a line of more than 998 bytes was printed
}

func (f *folder) col() int { return len(f.buf) - f.start }

// begin starts a field.
func (f *folder) begin(name string) {
	f.start = len(f.buf)
	f.buf = append(f.buf, name...)
	f.buf = append(f.buf, ':')
}

// end ends a field. Its error says that a line is longer than any may be.
func (f *folder) end() error {
	f.breakLine()
	if f.tooLong {
		return errLongWord
	}
	return nil
}

func (f *folder) breakLine() {
	f.tooLong = f.tooLong || f.col() > hardLine
	f.buf = append(f.buf, '\r', '\n')
	f.start = len(f.buf)
	f.encodes = false
}

// glueRoom is left free at the end of a line for what may be glued on: an
// empty group in a list ends with ":;,".
const glueRoom = len(":;,")

// word prints s after a space, at which the line may be broken.
func (f *folder) word(s string) { f.wordAfter(" ", s) }

// wordAfter is word with the white space that stands before it.
func (f *folder) wordAfter(space, s string) {
	if !f.fits(space, len(s)) {
		f.breakLine()
	}
	f.buf = append(f.buf, space...)
	f.buf = append(f.buf, s...)
}

// fits reports whether so many octets and the space before them belong on this line.
func (f *folder) fits(space string, octets int) bool {
	limit := softLine
	if f.encodes {
		limit = encodedLine
	}
	return f.oneLine || f.col() == 0 || f.col()+len(space)+octets+glueRoom <= limit
}

// glue prints what the line cannot be broken before.
func (f *folder) glue(s string) { f.buf = append(f.buf, s...) }

// longestWord fits on a line of its own. A name with a longer one is encoded,
// so that it can be broken.
const longestWord = softLine - len(" ") - glueRoom

// phrase prints a display name (RFC 5322, 3.2.5): as atoms, as one
// quoted-string, or encoded.
func (f *folder) phrase(s string) {
	switch {
	case isAtoms(s, f.raw):
		for w := range strings.SplitSeq(s, " ") {
			f.word(w)
		}
	case isPlain(s, f.raw) && len(quote(s)) <= longestWord && !strings.Contains(s, "=?"):
		f.word(quote(s))
	default:
		f.encoded(" ", s)
	}
}

// isAtoms reports whether s is atoms with single spaces between them, none of
// which could be taken for an encoded word.
func isAtoms(s string, raw bool) bool {
	for w := range strings.SplitSeq(s, " ") {
		if !isAtom(w, raw) || len(w) > longestWord || strings.HasPrefix(w, "=?") {
			return false
		}
	}
	return true
}

// text prints unstructured text such as a subject, so that a reader who
// decodes it sees exactly s: the words that cannot stand as they are, and the
// spaces among them, are encoded.
func (f *folder) text(s string) {
	words := strings.Split(s, " ")
	for i := 0; i < len(words); {
		if !f.mustEncode(words, i) {
			f.word(words[i])
			i++
			continue
		}
		run := i + 1
		for run < len(words) && f.mustEncode(words, run) {
			run++
		}
		f.encoded(" ", strings.Join(words[i:run], " "))
		i = run
	}
}

// mustEncode reports whether words[i] has to be in an encoded word. An empty word
// stands for white space that a reader might not keep, and encodes its
// neighbours too.
func (f *folder) mustEncode(words []string, i int) bool {
	w := words[i]
	return w == "" || i > 0 && words[i-1] == "" || i+1 < len(words) && words[i+1] == "" ||
		len(w) > hardLine-2 || !isPlain(w, f.raw) || strings.Contains(w, "=?")
}

// field prints the value of a field that the composer knows nothing about:
// its white space and its ASCII words stay as they are, since they may mean
// something to those who do.
func (f *folder) field(s string) {
	s = strings.Trim(s, " \t")
	for s != "" {
		space, word, rest := cutWord(s)
		if isPlain(word, f.raw) {
			f.wordAfter(space, word)
			s = rest
			continue
		}
		for { // spaces between two encoded words are lost, so they go inside
			_, next, after := cutWord(rest)
			if next == "" || isPlain(next, f.raw) {
				break
			}
			rest = after
		}
		f.encoded(space, strings.TrimLeft(s[:len(s)-len(rest)], " \t"))
		s = rest
	}
}

// cutWord splits s after its first word. The space is never empty.
func cutWord(s string) (space, word, rest string) {
	rest = strings.TrimLeft(s, " \t")
	space = cmp.Or(s[:len(s)-len(rest)], " ")
	if end := strings.IndexAny(rest, " \t"); end >= 0 {
		return space, rest[:end], rest[end:]
	}
	return space, rest, ""
}
