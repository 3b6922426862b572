package message

import (
	"bytes"
	"errors"
	"strings"
)

const (
	maxDepth    = 50       // multiparts inside multiparts
	maxParts    = 10_000   // in one message
	maxMIMEType = 16 << 10 // bytes of a Content-Type field that are looked at
	maxBoundary = 200      // RFC 2046, 5.1.1 allows 70
)

// ErrTooComplex says that a message has more than 10,000 parts, or multiparts
// more than 50 deep.
var ErrTooComplex = errors.New("message: too many parts, or nested too deep")

// lineKind says what a line is to MIME (RFC 2046, 5.1).
type lineKind int

const (
	lineHeader    lineKind = iota // of the message, of a part, or of a message in a part
	lineHeaderEnd                 // the empty line after it
	lineBody                      // content of a leaf
	lineGap                       // before the first or after the last part of a multipart
	lineBoundary
)

// entityKind says what is below the header of an entity.
type entityKind int

const (
	leafEntity entityKind = iota
	multipartEntity
	messageEntity // whose body is the header of another entity
)

// entity is what the header of a message or part says about its body.
type entity struct {
	kind     entityKind
	typ      string // in lower case; the default one if there is no Content-Type
	hasType  bool
	encoding string // Content-Transfer-Encoding, in lower case
	boundary string
}

// isIdentity reports whether the content is there as it is (RFC 2045, 6.2).
func (e *entity) isIdentity() bool {
	switch e.encoding {
	case "", "7bit", "8bit", "binary":
		return true
	}
	return false
}

func (e *entity) isMultipart() bool {
	return strings.HasPrefix(e.typ, "multipart/") && e.boundary != "" && e.isIdentity()
}

// mimeWalker says line by line where in a MIME message one is. It stores
// nothing but the boundaries of open multiparts.
type mimeWalker struct {
	open     []openMultipart
	entity   entity // the last one with a complete header
	inBody   bool   // of a leaf
	inGap    bool
	parts    int
	fieldSum int // fields of this header
	err      error

	reading entity // the one whose header is being read
	field   []byte // a field of it that we have to understand
	wanted  bool   // the field belongs in field
}

type openMultipart struct {
	boundary string
	digest   bool // its parts are messages by default (RFC 2046, 5.1.5)
}

// step takes the next line, or with start false the next piece of a line.
func (w *mimeWalker) step(line []byte, start bool) lineKind {
	switch {
	case start && len(w.open) > 0 && bytes.HasPrefix(line, dashes) && w.atBoundary(line):
		return lineBoundary
	case w.inBody:
		return lineBody
	case w.inGap:
		return lineGap
	}
	return w.header(line, start)
}

var dashes = []byte("--")

// atBoundary reports whether line is the boundary of an open multipart, however
// deep we are in others; those it ends.
func (w *mimeWalker) atBoundary(line []byte) bool {
	text := bytes.TrimRight(line[2:], " \t\r\n")
	for i := len(w.open) - 1; i >= 0; i-- {
		rest, ok := bytes.CutPrefix(text, []byte(w.open[i].boundary))
		if !ok || len(rest) > 0 && !bytes.Equal(rest, dashes) {
			continue
		}
		if !w.inBody && !w.inGap {
			w.endHeader(false)
		}
		w.enterPart(i, len(rest) > 0)
		return true
	}
	return false
}

func (w *mimeWalker) enterPart(level int, last bool) {
	w.inBody, w.inGap = false, last
	if last {
		w.open = w.open[:level]
		return
	}
	w.open = w.open[:level+1]
	w.beginEntity()
}

func (w *mimeWalker) beginEntity() {
	w.reading = entity{typ: "text/plain"}
	if n := len(w.open); n > 0 && w.open[n-1].digest {
		w.reading.typ = "message/rfc822"
	}
	w.fieldSum = 0
	if w.parts++; w.parts > maxParts {
		w.err = ErrTooComplex
	}
}

// header takes a line of a header. As in a HeaderReader a line that is no
// field begins the body.
func (w *mimeWalker) header(line []byte, start bool) lineKind {
	if w.parts == 0 {
		w.beginEntity()
	}
	switch {
	case start && isEmptyLine(line):
		w.endHeader(true)
		return lineHeaderEnd
	case !start, w.fieldSum > 0 && (line[0] == ' ' || line[0] == '\t'):
		w.collect(line)
		return lineHeader
	case beginsField(line), w.fieldSum == 0 && isMailboxLine(line):
		w.endField()
		w.fieldSum++
		w.wanted = bytes.IndexByte([]byte("cC"), line[0]) >= 0 && isContentField(RawField(line).Name())
		w.collect(line)
		return lineHeader
	}
	w.endHeader(false)
	if w.inGap {
		return lineGap
	}
	return lineBody
}

func isContentField(name string) bool {
	return strings.EqualFold(name, "Content-Type") || strings.EqualFold(name, "Content-Transfer-Encoding")
}

func (w *mimeWalker) collect(line []byte) {
	if w.wanted && len(w.field)+len(line) <= maxMIMEType {
		w.field = append(w.field, line...)
	}
}

// endField understands the field collected. The first of a name counts.
func (w *mimeWalker) endField() {
	if !w.wanted {
		return
	}
	f := RawField(w.field)
	switch {
	case strings.EqualFold(f.Name(), "Content-Transfer-Encoding"):
		if w.reading.encoding == "" {
			w.reading.encoding = strings.ToLower(firstWord(f.Value()))
		}
	case !w.reading.hasType:
		w.reading.hasType = true
		w.reading.typ, w.reading.boundary = mediaType(f.Value())
	}
	w.field, w.wanted = w.field[:0], false
}

// endHeader decides what the body is. A message in a part is only looked into
// if its header begins properly, after an empty line.
func (w *mimeWalker) endHeader(properly bool) {
	w.endField()
	e := w.reading
	w.inBody, w.inGap = false, false
	switch {
	case e.isMultipart() && len(w.open) == maxDepth:
		w.err = ErrTooComplex
		w.inBody = true
	case e.isMultipart():
		e.kind = multipartEntity
		w.inGap = true
		w.open = append(w.open, openMultipart{e.boundary, e.typ == "multipart/digest"})
	case e.typ == "message/rfc822" && e.isIdentity() && properly:
		e.kind = messageEntity
		w.beginEntity()
		w.reading.typ = "text/plain"
	default:
		w.inBody = true
	}
	w.entity = e
}

// firstWord returns s up to white space, a comment or a semicolon.
func firstWord(s string) string {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t(;"); i >= 0 {
		s = s[:i]
	}
	return s
}

// mediaType reads the value of a Content-Type field, tolerantly: parameters
// need no quotes, and only the boundary matters.
func mediaType(value string) (typ, boundary string) {
	typ = strings.ToLower(firstWord(value))
	_, rest, _ := strings.Cut(value, ";")
	for rest != "" {
		var name, param string
		name, param, rest = cutParam(rest)
		if strings.EqualFold(name, "boundary") && len(param) <= maxBoundary {
			return typ, param
		}
	}
	return typ, ""
}

// cutParam reads one parameter and the semicolon after it.
func cutParam(s string) (name, value, rest string) {
	end := strings.IndexAny(s, "=;")
	if end < 0 {
		return "", "", ""
	}
	if s[end] == ';' {
		return "", "", s[end+1:]
	}
	name = strings.TrimSpace(s[:end])
	s = strings.TrimLeft(s[end+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, firstWord(value), rest
	}
	var b strings.Builder
	i := 1
	for ; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	_, rest, _ = strings.Cut(s[min(i+1, len(s)):], ";")
	return name, strings.TrimRight(b.String(), " \t"), rest
}
