package senderauth

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

const (
	maxResults  = 64 << 10
	maxMethods  = 100
	maxComments = 16 // deep
)

var errResults = errors.New("the results make no sense")

// ParseResults reads the value of an Authentication-Results field, folded or
// not: what stands behind the colon. Comments are dropped. Verdicts and names
// come as they are written, in lower case; believe them only if the ID is that
// of a host that you trust, and if nobody else could have written the field
// ([ClaimsToBe]). The error tells of the syntax, more than 64 KiB, or more than
// 100 methods. Time is linear.
func ParseResults(value string) (Results, error) {
	if len(value) > maxResults {
		return Results{}, fmt.Errorf("results of more than %d octets", maxResults)
	}
	l := &lexer{s: value}
	id, ok := l.value(";=")
	if !ok || id == "" || l.peek() == '=' {
		return Results{}, fmt.Errorf("%w: no authserv-id", errResults)
	}
	if l.peek() != ';' && l.peek() != 0 {
		if version, ok := l.value(";="); !ok || strings.Trim(version, "0123456789") != "" {
			return Results{}, fmt.Errorf("%w: no version: %.20q", errResults, version)
		}
	}
	r := Results{ID: id}
	for l.take(';') {
		if l.peek() == 0 {
			break // a semicolon too many, as many write it
		}
		if len(r.Methods) == maxMethods {
			return r, fmt.Errorf("results of more than %d methods", maxMethods)
		}
		m, err := l.method()
		if err != nil {
			return r, err
		}
		if m.Method != "" {
			r.Methods = append(r.Methods, m)
		}
	}
	if l.bad || l.peek() != 0 {
		return r, errResults
	}
	return r, nil
}

// method reads one resinfo; an empty one stands for "none".
func (l *lexer) method() (m MethodResult, err error) {
	name, verdict, ok := l.pair()
	if !ok {
		if name == "none" && (l.peek() == 0 || l.peek() == ';') {
			return m, nil
		}
		return m, fmt.Errorf("%w: %.40q", errResults, name)
	}
	m.Method, _, _ = strings.Cut(name, "/") // method-version
	m.Verdict = Verdict(strings.ToLower(verdict))
	for l.peek() != ';' && l.peek() != 0 {
		name, value, ok := l.pair()
		if !ok {
			return m, fmt.Errorf("%w: %.40q", errResults, name)
		}
		kind, property, dotted := strings.Cut(name, ".")
		switch {
		case dotted:
			m.Properties = append(m.Properties, Property{kind, property, value})
		case name == "reason":
			m.Reason = value
		}
	}
	return m, nil
}

// lexer reads words between comments and white space.
type lexer struct {
	s   string
	bad bool // a comment or a quoted string without end
}

// peek skips comments and white space and returns what comes, or 0 at the end.
func (l *lexer) peek() byte {
	for l.s != "" {
		switch {
		case isFWS(l.s[0]):
			l.s = l.s[1:]
		case l.s[0] == '(':
			l.comment()
		default:
			return l.s[0]
		}
	}
	return 0
}

func (l *lexer) comment() {
	depth := 0
	for i := 0; i < len(l.s); i++ {
		switch l.s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			l.s = l.s[i+1:]
			return
		}
		if depth > maxComments {
			break
		}
	}
	l.s, l.bad = "", true
}

func (l *lexer) take(c byte) bool {
	if l.peek() != c {
		return false
	}
	l.s = l.s[1:]
	return true
}

// pair reads name "=" value; white space and comments may stand anywhere.
func (l *lexer) pair() (name, value string, ok bool) {
	for l.peek() != '=' {
		word, ok := l.value(";=")
		if !ok {
			return name, "", false
		}
		name += strings.ToLower(word)
		if len(name) > maxValue {
			return name[:maxValue], "", false
		}
	}
	l.take('=')
	value, ok = l.value(";")
	return name, value, ok && name != ""
}

// value reads pieces that stand together, quoted or not, up to white space,
// a comment, or one of stops. Quotes and backslashes are resolved.
func (l *lexer) value(stops string) (string, bool) {
	l.peek()
	var b strings.Builder
	any := false
	for l.s != "" {
		switch c := l.s[0]; {
		case c == '"':
			l.quoted(&b)
		case isFWS(c) || c == '(' || strings.IndexByte(stops, c) >= 0:
			return b.String(), any && !l.bad
		default:
			b.WriteByte(c)
			l.s = l.s[1:]
		}
		any = true
	}
	return b.String(), any && !l.bad
}

func (l *lexer) quoted(b *strings.Builder) {
	for i := 1; i < len(l.s); i++ {
		switch c := l.s[i]; {
		case c == '"':
			l.s = l.s[i+1:]
			return
		case c == '\\' && i+1 < len(l.s):
			i++
			b.WriteByte(l.s[i])
		case c != '\r' && c != '\n':
			b.WriteByte(c)
		}
	}
	l.s, l.bad = "", true
}

// ClaimsToBe reports whether a raw header field, as it came from outside, is an
// Authentication-Results that somebody could take for one of ours: that of the
// host id. Such fields must go before ours is added (RFC 8601, 5).
//
// It does not trust readers to read well. Case, final dots, quotes, comments and
// folding do not matter, nor do U-labels, full-width letters or encoded words;
// and a field whose authserv-id is missing or cannot be read is taken for ours.
func ClaimsToBe(field []byte, id string) bool {
	if fieldName(field) != strings.ToLower(resultsName) {
		return false
	}
	_, value, _ := bytes.Cut(field, []byte(":"))
	l := &lexer{s: string(value[:min(len(value), maxResults)])}
	claimed, ok := l.value(";=")
	if !ok || l.peek() == '=' || strings.Contains(claimed, "=?") || strings.HasPrefix(claimed, "?") {
		return true
	}
	claimed, ok = plainName(claimed)
	if !ok {
		return true
	}
	ours, _ := plainName(id)
	rest, same := strings.CutPrefix(claimed, ours)
	return same && (rest == "" || !isNameOctet(rest[0]))
}

// plainName brings a host name to one spelling. It reports false if there is
// something in it that some reader may not see.
func plainName(s string) (string, bool) {
	s = Squeeze(s)
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return "", false
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) {
		a, err := idna.Lookup.ToASCII(s)
		if err != nil {
			return "", false
		}
		s = a
	}
	s = strings.Trim(strings.ToLower(s), ".")
	return s, s != ""
}

func isNameOctet(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}
