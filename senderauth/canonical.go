package senderauth

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Canonicalization is a form into which header fields or bodies are brought
// before they are signed (RFC 6376, 3.4). The zero value is Simple.
type Canonicalization uint8

const (
	Simple  Canonicalization = iota // as it is, but for empty lines at the end of a body
	Relaxed                         // white space and the case of field names do not count
)

func (c Canonicalization) String() string {
	if c == Relaxed {
		return "relaxed"
	}
	return "simple"
}

// ParseCanonicalization reads the value of a c= tag: "relaxed/simple". What is
// missing is simple (RFC 6376, 3.5).
func ParseCanonicalization(s string) (header, body Canonicalization, err error) {
	h, b, ok := strings.Cut(s, "/")
	if !ok {
		b = "simple"
	}
	if h == "" && !ok {
		h = "simple"
	}
	if header, err = parseForm(h); err == nil {
		body, err = parseForm(b)
	}
	return header, body, err
}

func parseForm(s string) (Canonicalization, error) {
	switch s {
	case "simple":
		return Simple, nil
	case "relaxed":
		return Relaxed, nil
	}
	return Simple, fmt.Errorf("no canonicalization: %.20q", s)
}

// AppendField appends the canonical form of a header field, which is given with
// its name, folding and final CRLF.
func (c Canonicalization) AppendField(dst, field []byte) []byte {
	if c == Simple {
		return append(dst, field...)
	}
	name, value, _ := bytes.Cut(field, []byte(":"))
	dst = appendLower(dst, bytes.TrimRight(name, " \t"))
	dst = append(dst, ':')
	start, pending := len(dst), false
	for _, b := range value {
		switch {
		case b == '\r' || b == '\n':
		case b == ' ' || b == '\t':
			pending = true
		default:
			if pending && len(dst) > start {
				dst = append(dst, ' ')
			}
			pending = false
			dst = append(dst, b)
		}
	}
	return append(dst, '\r', '\n')
}

func appendLower(dst, s []byte) []byte {
	for _, b := range s {
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
		dst = append(dst, b)
	}
	return dst
}

// AppendSigned appends the canonical forms of the fields that a signature names,
// in the order of names. A name that stands n times takes the last n fields of
// that name, from the bottom up; for those that there are not, it takes nothing
// (RFC 6376, 5.4.2). Time is linear in both.
func AppendSigned[F ~[]byte](dst []byte, c Canonicalization, header []F, names []string) []byte {
	left := make(map[string][]F, len(names)) // by name, top to bottom
	for _, name := range names {
		left[strings.ToLower(name)] = nil
	}
	for _, f := range header {
		name := fieldName(f)
		if fields, wanted := left[name]; wanted {
			left[name] = append(fields, f)
		}
	}
	for _, name := range names {
		name = strings.ToLower(name)
		if fields := left[name]; len(fields) > 0 {
			last := len(fields) - 1
			dst = c.AppendField(dst, fields[last])
			left[name] = fields[:last]
		}
	}
	return dst
}

// fieldName returns the name of a field in lower case.
func fieldName(f []byte) string {
	name, _, _ := bytes.Cut(f, []byte(":"))
	return strings.ToLower(string(bytes.TrimRight(name, " \t")))
}

// AppendUnsigned appends the canonical form of the field that holds
// a signature, as it was when it was signed: with an empty b= tag, and without
// the final CRLF (RFC 6376, 3.7).
func AppendUnsigned(dst []byte, c Canonicalization, field []byte) []byte {
	return bytes.TrimSuffix(c.AppendField(dst, emptyTag(field, "b")), []byte("\r\n"))
}

// emptyTag returns the field with the value of a tag cut out, and the white
// space around the value with it.
func emptyTag(field []byte, name string) []byte {
	text := bytes.TrimSuffix(field, []byte("\r\n"))
	at := bytes.IndexByte(text, ':') + 1
	for at < len(text) {
		end := at + len(text[at:])
		if i := bytes.IndexByte(text[at:], ';'); i >= 0 {
			end = at + i
		}
		if eq := bytes.IndexByte(text[at:end], '='); eq >= 0 && trimFWS(string(text[at:at+eq])) == name {
			cut := append([]byte(nil), text[:at+eq+1]...)
			return append(append(cut, text[end:]...), field[len(text):]...)
		}
		at = end + 1
	}
	return field
}

// BodyWriter brings a body into canonical form while it streams past. The body
// has CRLF line ends, as in SMTP: a CR or LF alone is an octet like others.
type BodyWriter struct {
	w     io.Writer
	form  Canonicalization
	n     int64 // octets written
	empty int   // line ends that are not written yet: they may be the end
	cr    bool  // a CR is not written yet: an LF may follow
	space bool  // so is white space, which may be at the end of the line
	buf   []byte
	err   error
}

// NewBodyWriter returns a writer that passes the canonical form of what is
// written to it on to w. It keeps at most 4 KiB.
func NewBodyWriter(w io.Writer, c Canonicalization) *BodyWriter {
	return &BodyWriter{w: w, form: c, buf: make([]byte, 0, 4096)}
}

// Write takes a piece of the body, of any size. The error is that of the writer
// behind it.
func (b *BodyWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && b.err == nil; {
		n := b.run(rest)
		if n > 0 {
			b.releaseAll()
			b.put(rest[:n])
			rest = rest[n:]
			continue
		}
		b.special(rest[0])
		rest = rest[1:]
	}
	return len(p), b.err
}

// run returns how many octets p begins with that mean nothing special. A blank
// alone between two words is none, so that a run is mostly a line.
func (b *BodyWriter) run(p []byte) int {
	if b.cr && p[0] == '\n' {
		return 0
	}
	if end := bytes.IndexByte(p, '\r'); end >= 0 {
		p = p[:end]
	}
	if b.form == Simple {
		return len(p)
	}
	for i, c := range p {
		if c != ' ' && c != '\t' {
			continue
		}
		alone := c == ' ' && i+1 < len(p) && p[i+1] != ' ' && p[i+1] != '\t'
		if !alone || i == 0 && b.space {
			return i
		}
	}
	return len(p)
}

// special takes a CR, the LF after it, or white space in the relaxed form.
func (b *BodyWriter) special(c byte) {
	switch {
	case c == '\n':
		b.cr, b.space = false, false
		b.empty++
	case c == '\r':
		if b.cr {
			b.releaseAll() // the one before was alone
		}
		b.cr = true
	default:
		if b.cr {
			b.releaseAll()
		}
		b.space = true
	}
}

// releaseAll writes what was held back, in order: line ends, white space, CR.
func (b *BodyWriter) releaseAll() {
	for ; b.empty > 0; b.empty-- {
		b.put(crlf)
	}
	if b.space {
		b.space = false
		b.put(blank)
	}
	if b.cr {
		b.cr = false
		b.put(crlf[:1])
	}
}

var (
	crlf  = []byte("\r\n")
	blank = []byte(" ")
)

func (b *BodyWriter) put(p []byte) {
	b.n += int64(len(p))
	if len(b.buf)+len(p) > cap(b.buf) {
		b.flush()
	}
	if len(p) >= cap(b.buf) && b.err == nil {
		_, b.err = b.w.Write(p)
		return
	}
	b.buf = append(b.buf, p...)
}

func (b *BodyWriter) flush() {
	if b.err == nil && len(b.buf) > 0 {
		_, b.err = b.w.Write(b.buf)
	}
	b.buf = b.buf[:0]
}

// Close ends the body. It does not close the writer behind it.
func (b *BodyWriter) Close() error {
	if b.cr {
		b.releaseAll()
	}
	b.empty, b.space = 0, false
	if b.n > 0 || b.form == Simple { // an empty body is CRLF in the simple form only
		b.put(crlf)
	}
	b.flush()
	return b.err
}

// Len returns the number of octets of the canonical form. It is known after
// Close.
func (b *BodyWriter) Len() int64 { return b.n }
