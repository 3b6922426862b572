package message

import (
	"strconv"
	"strings"
)

// longestParam is how wide a parameter may be to stand on a line of its own.
const longestParam = softLine - 3

// param prints a MIME parameter. An ASCII value is printed as a token or a
// quoted-string, or in pieces if it is long. Any other value is encoded by RFC 2231,
// after a rough version in ASCII for programs that do not know that RFC.
func (f *folder) param(name, value string) {
	switch {
	case isToken(value) && len(name)+len("=")+len(value) <= longestParam:
		f.oneParam(name, value)
	case isPlain(value, false):
		f.pieces(name, "", quotedPieces(name, value))
	default:
		f.oneParam(name, quote(rough(value, longestParam-len(name)-len(`=""`))))
		f.pieces(name, "*", percentPieces(name, value))
	}
}

func (f *folder) oneParam(name, printed string) {
	f.glue(";")
	f.word(name + "=" + printed)
}

// pieces prints a parameter that may be in several pieces (RFC 2231, 3 and
// 4.1); mark is "*" if they are percent-encoded.
func (f *folder) pieces(name, mark string, pieces []string) {
	if len(pieces) == 1 {
		f.oneParam(name+mark, pieces[0])
		return
	}
	for i, p := range pieces {
		f.oneParam(name+"*"+strconv.Itoa(i)+mark, p)
	}
}

// pieceRoom is how wide the value of one piece may be: the number of a piece
// is given six digits.
func pieceRoom(name string) int { return longestParam - len(name) - len("*000000*=") }

// quotedPieces cuts ASCII into quoted-strings. At least one is returned.
func quotedPieces(name, s string) []string {
	if q := quote(s); len(name)+len("=")+len(q) <= longestParam {
		return []string{q}
	}
	var pieces []string
	for room := pieceRoom(name)/2 - 2; s != ""; { // each character may need a backslash
		n := min(room, len(s))
		pieces = append(pieces, quote(s[:n]))
		s = s[n:]
	}
	return pieces
}

// percentPieces cuts s into percent-encoded pieces of whole characters, the
// first of which names the charset (RFC 2231, 4).
func percentPieces(name, s string) []string {
	var pieces []string
	piece := "utf-8''"
	for _, r := range s {
		c := percent(string(r))
		if len(piece)+len(c) > pieceRoom(name) {
			pieces = append(pieces, piece)
			piece = ""
		}
		piece += c
	}
	return append(pieces, piece)
}

// percent encodes s for a parameter (RFC 2231, 4).
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isTokenChar(c) && c != '*' && c != '\'' && c != '%' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenChar(s[i]) {
			return false
		}
	}
	return s != ""
}

// rough returns what can be shown of s in ASCII and in room bytes. A long s is cut,
// but keeps its file extension.
func rough(s string, room int) string {
	s = strings.Map(roughly, s)
	if len(s) <= room {
		return s
	}
	ext := s[max(strings.LastIndexByte(s, '.'), len(s)-10):]
	return s[:room-len(ext)] + ext
}

func roughly(r rune) rune {
	if r < ' ' || r >= 0x7f || r == '"' || r == '\\' {
		return '_'
	}
	return r
}
