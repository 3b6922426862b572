package senderauth

import (
	"strings"
	"unicode/utf8"
)

// Results is what an Authentication-Results field says (RFC 8601, 2.2).
type Results struct {
	// ID names the host that did the checks (authserv-id).
	ID string
	// Methods are the results. None at all is printed as "none": nothing was
	// checked.
	Methods []MethodResult
}

// MethodResult is the result of one method for one identity (resinfo).
type MethodResult struct {
	Method     string // "spf", "dkim", "dmarc", "arc", "auth", "iprev" ...
	Verdict    Verdict
	Reason     string // for people; may be empty
	Properties []Property
}

// Property is what was checked: smtp.mailfrom=jo@example.org has the Type smtp,
// the Name mailfrom, and a Value.
type Property struct{ Type, Name, Value string }

const (
	resultsName = "Authentication-Results"
	maxValue    = 256 // octets of a value that we print
)

// AppendField appends the field, folded, with its final CRLF. No value can end
// the field or stand for another: what is not plain is quoted, control
// characters become "?", what is not UTF-8 U+FFFD, and values are cut to 256
// octets.
func (r Results) AppendField(dst []byte) []byte {
	return r.appendFolded(dst, resultsName+": ")
}

// AppendChainField appends the ARC-Authentication-Results field for an instance
// (RFC 8617, 4.1.1), like AppendField.
func (r Results) AppendChainField(dst []byte, instance string) []byte {
	return r.appendFolded(dst, "ARC-"+resultsName+": i="+instance+"; ")
}

func (r Results) appendFolded(dst []byte, head string) []byte {
	f := folder{dst: dst, start: len(dst)}
	f.write(head + quote(r.ID))
	if len(r.Methods) == 0 {
		f.write("; none")
	}
	for _, m := range r.Methods {
		f.write(";")
		f.fold()
		for i, word := range m.words() {
			if i > 0 && len(word) >= f.room() {
				f.fold()
			} else if i > 0 {
				f.write(" ")
			}
			f.write(word)
		}
	}
	return append(f.dst, '\r', '\n')
}

// String prints the value of the field on one line.
func (r Results) String() string {
	s := quote(r.ID)
	if len(r.Methods) == 0 {
		return s + "; none"
	}
	for _, m := range r.Methods {
		s += "; " + strings.Join(m.words(), " ")
	}
	return s
}

func (m MethodResult) words() []string {
	words := []string{keyword(m.Method) + "=" + keyword(string(m.Verdict))}
	if m.Reason != "" {
		words = append(words, "reason="+quoteAlways(m.Reason))
	}
	for _, p := range m.Properties {
		words = append(words, keyword(p.Type)+"."+keyword(p.Name)+"="+quote(p.Value))
	}
	return words
}

// keyword keeps what may stand in the name of a method, result or property.
func keyword(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && isToken(byte(r)) && r != '.' {
			return r
		}
		return -1
	}, s)
	if s == "" {
		return "x-unknown"
	}
	return s
}

// quote prints a value as it is if it is a token or a plain address, else in
// quotes.
func quote(s string) string {
	local, domain, address := strings.Cut(s, "@")
	if len(s) <= maxValue && (isPlain(s) || address && (local == "" || isPlain(local)) && isPlain(domain)) {
		return s
	}
	return quoteAlways(s)
}

func quoteAlways(s string) string {
	if s = strings.ToValidUTF8(s, "\uFFFD"); len(s) > maxValue {
		cut := maxValue
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029':
			r = '?'
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

func isPlain(s string) bool {
	for i := range len(s) {
		if !isToken(s[i]) {
			return false
		}
	}
	return s != ""
}

// isToken reports whether c may stand in a token (RFC 2045, 5.1).
func isToken(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}
