package message

import "strings"

// tokenKind is the kind of a word of an address list (RFC 5322, 3.2).
type tokenKind byte

const (
	tokEnd     tokenKind = 0
	tokAtom    tokenKind = 'a' // anything without space or specials; dots too
	tokQuoted  tokenKind = '"'
	tokComment tokenKind = '('
	tokLiteral tokenKind = '['
	// The others are themselves: < > @ , ; :
)

type token struct {
	kind       tokenKind
	spaced     bool // white space or a comment stands before it
	start, end int  // in the text, with quotes and parentheses
}

// addressLexer reads the words of an address list, tolerantly: a quote or bracket
// that opens something and is never closed is skipped.
type addressLexer struct {
	s     string
	pos   int
	steps int // bytes looked at, so that a test can hold them to be linear

	// Set when the rest of the text holds no end for one of these, so that it is
	// not searched again and again: that would take quadratic time.
	noQuoteEnd, noCommentEnd, noLiteralEnd bool

	afterComment bool
}

func (l *addressLexer) next() token {
	start := l.pos
	l.skipSpace()
	t := token{spaced: l.pos > start || l.afterComment, start: l.pos, end: l.pos}
	if l.pos == len(l.s) {
		return t
	}
	end := l.pos + 1
	switch c := l.s[l.pos]; c {
	case ',', ';', ':', '<', '>', '@':
		t.kind = tokenKind(c)
	case '"':
		t.kind, end = tokQuoted, l.quotedEnd()
	case '(':
		t.kind, end = tokComment, l.commentEnd()
	case '[':
		t.kind, end = tokLiteral, l.literalEnd()
	default:
		t.kind, end = tokAtom, l.atomEnd()
	}
	t.end, l.pos = end, end
	l.afterComment = t.kind == tokComment
	return t
}

// skipSpace passes over white space, line ends of folding, and marks that open
// what is never closed.
func (l *addressLexer) skipSpace() {
	for ; l.pos < len(l.s); l.pos++ {
		l.steps++
		switch l.s[l.pos] {
		case ' ', '\t', '\r', '\n':
		case '"':
			if l.quotedEnd() > 0 {
				return
			}
		case '(':
			if l.commentEnd() > 0 {
				return
			}
		case '[':
			if l.literalEnd() > 0 {
				return
			}
		case ')', ']':
		default:
			return
		}
	}
}

// quotedEnd returns the end of the quoted-string that begins here, or 0.
func (l *addressLexer) quotedEnd() int {
	if l.noQuoteEnd {
		return 0
	}
	for i := l.pos + 1; i < len(l.s); i++ {
		l.steps++
		switch l.s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	l.noQuoteEnd = true
	return 0
}

// commentEnd is quotedEnd for a comment, which may hold others.
func (l *addressLexer) commentEnd() int {
	if l.noCommentEnd {
		return 0
	}
	depth := 0
	for i := l.pos; i < len(l.s); i++ {
		l.steps++
		switch l.s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	l.noCommentEnd = true
	return 0
}

// literalEnd is quotedEnd for a domain literal.
func (l *addressLexer) literalEnd() int {
	if l.noLiteralEnd {
		return 0
	}
	for i := l.pos + 1; i < len(l.s); i++ {
		l.steps++
		if l.s[i] == ']' {
			return i + 1
		}
	}
	l.noLiteralEnd = true
	return 0
}

// atomEnd returns the end of the atom that begins here. An encoded word is one
// whatever is in it: some are sent with commas.
func (l *addressLexer) atomEnd() int {
	if end := l.encodedWordEnd(); end > 0 {
		return end
	}
	i := l.pos + 1
	for i < len(l.s) && strings.IndexByte("()<>[]:;@,\" \t\r\n", l.s[i]) < 0 {
		l.steps++
		i++
	}
	return i
}

// encodedWordEnd returns the end of the encoded word that begins here, or 0.
func (l *addressLexer) encodedWordEnd() int {
	if !strings.HasPrefix(l.s[l.pos:], "=?") {
		return 0
	}
	marks := 0 // question marks
	for i := l.pos; i < len(l.s) && marks < 4; i++ {
		l.steps++
		switch l.s[i] {
		case '?':
			marks++
		case ' ', '\t', '\r', '\n', '<', '>':
			return 0
		}
		if marks == 4 && i+1 < len(l.s) && l.s[i+1] == '=' {
			return i + 2
		}
	}
	return 0
}
