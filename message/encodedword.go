package message

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// The encoded words of RFC 2047: printing first, then reading.

const (
	// Room for an encoded word, for which RFC 2047, 2 allows 75: the space
	// before it and what is glued on have to be on its line as well.
	encodedRoom = encodedLine - len(" ") - glueRoom
	// Less room than this at the end of a line is left empty.
	leastRoom = 36

	encodedFrame = len("=?utf-8?q??=")
)

// encoded prints s as encoded words, each of whole characters, the first after
// the white space given.
func (f *folder) encoded(space, s string) {
	q := qLen(s) <= base64.StdEncoding.EncodedLen(len(s))
	for s != "" {
		room := f.encodedRoom(space) - encodedFrame
		var chunk string
		if q {
			chunk = qPrefix(s, room)
			f.wordAfter(space, "=?utf-8?q?"+qEncode(chunk)+"?=")
		} else {
			chunk = bPrefix(s, room)
			f.wordAfter(space, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(chunk))+"?=")
		}
		f.encodes = true
		s = s[len(chunk):]
		space = " "
	}
}

// encodedRoom returns how long the next encoded word may be, on a new line if
// there is little room on this one.
func (f *folder) encodedRoom(space string) int {
	if f.oneLine {
		return encodedRoom
	}
	used := len(space) - len(" ")
	if encodedRoom-f.col()-used < leastRoom {
		f.breakLine()
	}
	return max(encodedRoom-f.col()-used, leastRoom)
}

// isQLiteral says whether c stands for itself in the Q encoding wherever an
// encoded word may be, a display name included (RFC 2047, 5, rule 3).
func isQLiteral(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!*+-/", c) >= 0
}

func qLen(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if n++; !isQLiteral(s[i]) && s[i] != ' ' {
			n += 2
		}
	}
	return n
}

// qPrefix returns the longest prefix of whole characters whose Q encoding
// takes no more than room bytes.
func qPrefix(s string, room int) string {
	end := 0
	for end < len(s) {
		_, size := utf8.DecodeRuneInString(s[end:])
		if room -= qLen(s[end : end+size]); room < 0 {
			break
		}
		end += size
	}
	return s[:end]
}

// bPrefix is qPrefix for base64.
func bPrefix(s string, room int) string {
	end := room / 4 * 3
	if end >= len(s) {
		return s
	}
	for back := 0; back < utf8.UTFMax && !utf8.RuneStart(s[end]); back++ {
		end--
	}
	return s[:end]
}

func qEncode(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ':
			b.WriteByte('_')
		case isQLiteral(c):
			b.WriteByte(c)
		default:
			b.Write([]byte{'=', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// decodeText replaces the encoded words in s by what they say, in UTF-8. A
// word that is broken or in an unknown charset stays as it is. A character
// cut in two by neighbouring words is mended. Characters that could end a
// line or a string (CR, LF, NUL) become U+FFFD.
func decodeText(s string) string {
	var d wordDecoder
	for {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		w, rest, ok := cutEncodedWord(s[i:])
		if !ok {
			d.plain(s[:i+2])
			s = s[i+2:]
			continue
		}
		d.plain(s[:i])
		d.encoded(w)
		s = rest
	}
	d.plain(s)
	d.flush()
	return strings.Map(noLineEnd, d.out.String())
}

func noLineEnd(r rune) rune {
	if r == '\r' || r == '\n' || r == 0 {
		return utf8.RuneError
	}
	return r
}

type encodedWord struct {
	charset string
	content []byte
	literal string // as it stood in the text
}

// cutEncodedWord reads the encoded word that s begins with. It looks no
// further than the fourth question mark.
func cutEncodedWord(s string) (w encodedWord, rest string, ok bool) {
	charset, rest, ok1 := strings.Cut(s[2:], "?")
	encoding, rest, ok2 := strings.Cut(rest, "?")
	text, rest, ok3 := strings.Cut(rest, "?")
	if !ok1 || !ok2 || !ok3 || !strings.HasPrefix(rest, "=") {
		return w, "", false
	}
	rest = rest[1:]
	charset, _, _ = strings.Cut(charset, "*") // RFC 2231, 5: a language
	if !isToken(charset) {
		return w, "", false
	}
	w = encodedWord{charset: strings.ToLower(charset), literal: s[:len(s)-len(rest)]}
	switch encoding {
	case "q", "Q":
		w.content = qDecode(text)
	case "b", "B":
		content, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "= "))
		if err != nil {
			return w, "", false
		}
		w.content = content
	default:
		return w, "", false
	}
	return w, rest, true
}

// qDecode leaves a "=" that begins no pair of digits as it is.
func qDecode(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '_':
			b = append(b, ' ')
		case s[i] == '=' && i+2 < len(s):
			if dec, err := hex.AppendDecode(b, []byte(s[i+1:i+3])); err == nil {
				b = dec
				i += 2
				continue
			}
			b = append(b, '=')
		default:
			b = append(b, s[i])
		}
	}
	return b
}

// wordDecoder puts decoded text together. Encoded words with only white space
// between them are one text (RFC 2047, 6.2).
type wordDecoder struct {
	out     strings.Builder
	pending []byte // content of encoded words of one charset, not converted yet
	literal []byte // what they looked like
	charset string
	gap     string // white space since the last encoded word
}

func (d *wordDecoder) plain(s string) {
	if strings.Trim(s, " \t\r\n") == "" && d.pending != nil {
		d.gap += s
		return
	}
	d.flush()
	d.out.WriteString(s)
}

func (d *wordDecoder) encoded(w encodedWord) {
	if d.pending != nil && w.charset != d.charset {
		d.gap = ""
		d.flush()
	}
	d.charset = w.charset
	if d.pending == nil {
		d.pending = []byte{}
	} else {
		d.literal = append(d.literal, d.gap...)
	}
	d.pending = append(d.pending, w.content...)
	d.literal = append(d.literal, w.literal...)
	d.gap = ""
}

func (d *wordDecoder) flush() {
	if d.pending != nil {
		if s, ok := toUTF8(d.charset, d.pending); ok {
			d.out.WriteString(s)
		} else {
			d.out.Write(d.literal)
		}
	}
	d.out.WriteString(d.gap)
	d.pending, d.literal, d.gap = nil, nil, ""
}

func toUTF8(charset string, b []byte) (string, bool) {
	switch charset {
	case "utf-8", "utf8", "us-ascii":
		return strings.ToValidUTF8(string(b), "\uFFFD"), true
	}
	enc, err := htmlindex.Get(charset)
	if err != nil {
		return "", false
	}
	s, err := enc.NewDecoder().Bytes(b)
	return string(s), err == nil
}
