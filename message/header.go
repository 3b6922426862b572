package message

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
)

// RawField is one header field exactly as it came: name, colon, value, folding
// and line end. It is nameless if it is the "From " line that a mailbox file
// puts before a message.
type RawField []byte

// Name returns the field name as it is written, without white space before the
// colon (RFC 5322, 4.5). Compare it with [strings.EqualFold].
func (f RawField) Name() string {
	name, _, ok := bytes.Cut(f, []byte(":"))
	if !ok || !isFieldName(name) {
		return ""
	}
	return string(bytes.TrimRight(name, " \t"))
}

// Value returns what stands after the colon, unfolded (RFC 5322, 2.2.3): line
// ends are gone, and with them any CR, LF and NUL that strayed into the value;
// white space at both ends is gone too. Other bytes are as they came.
func (f RawField) Value() string {
	value := f
	if f.Name() != "" {
		_, value, _ = bytes.Cut(f, []byte(":"))
	}
	b := make([]byte, 0, len(value))
	for _, c := range value {
		if c != '\r' && c != '\n' && c != 0 {
			b = append(b, c)
		}
	}
	return string(bytes.Trim(b, " \t"))
}

// Text returns the value with its encoded words decoded (RFC 2047), in valid
// UTF-8 on one line: for people, not for structured fields.
func (f RawField) Text() string {
	return decodeText(strings.ToValidUTF8(f.Value(), "\uFFFD"))
}

// HeaderLimits bound what is read of a header. Zero means the default.
type HeaderLimits struct {
	Bytes  int // of all fields together; default 1 MiB
	Fields int // default 1,000
}

// HeaderError says that a header goes beyond a limit, and at which line.
type HeaderError struct {
	Line   int // counted from 1
	Reason string
}

func (e *HeaderError) Error() string {
	return fmt.Sprintf("message: header line %d: %s", e.Line, e.Reason)
}

// HeaderReader reads the header of a message field by field. The fields, the
// [HeaderReader.End] and the [HeaderReader.Body], one after the other, are
// exactly the bytes of the message.
//
// The header ends at the first empty line, at the end of the message, or
// before a line that is no field (no name of printable ASCII and colon, and no
// field before it that its white space could continue): that line begins the
// body. Lines may end with CRLF or LF.
type HeaderReader struct {
	r      *bufio.Reader
	limits HeaderLimits

	line   int // lines read
	bytes  int
	fields int
	field  []byte
	end    []byte
	rest   []byte // a line that is no field
	err    error
}

// NewHeaderReader returns a reader of the message that r begins with. If r is
// a [bufio.Reader] it is used as it is.
func NewHeaderReader(r io.Reader, limits HeaderLimits) *HeaderReader {
	if limits.Bytes <= 0 {
		limits.Bytes = 1 << 20
	}
	if limits.Fields <= 0 {
		limits.Fields = 1000
	}
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReader(r)
	}
	return &HeaderReader{r: br, limits: limits}
}

// Next returns the next field, which is valid until the next call. At the end
// of the header the error is [io.EOF]. Past a limit it is a [*HeaderError],
// and what was read up to there is lost; other errors are those of the reader.
func (h *HeaderReader) Next() (RawField, error) {
	if h.err == nil {
		h.err = h.readField()
	}
	if h.err != nil {
		return nil, h.err
	}
	return RawField(h.field), nil
}

// End returns what separates header and body: an empty line with its line end,
// or nothing. It is known when Next has returned io.EOF.
func (h *HeaderReader) End() []byte { return h.end }

// Body returns the rest of the message, when Next has returned io.EOF.
func (h *HeaderReader) Body() io.Reader {
	if h.rest == nil {
		return h.r
	}
	return io.MultiReader(bytes.NewReader(h.rest), h.r)
}

func (h *HeaderReader) readField() error {
	h.field = h.field[:0]
	if err := h.appendLine(); err != nil {
		return err
	}
	switch {
	case isEmptyLine(h.field):
		h.end = h.field
		return io.EOF
	case !beginsField(h.field) && !(h.line == 1 && isMailboxLine(h.field)):
		h.rest = h.field
		return io.EOF
	}
	if h.fields++; h.fields > h.limits.Fields {
		return &HeaderError{h.line, fmt.Sprintf("more than %d fields", h.limits.Fields)}
	}
	for {
		next, err := h.r.Peek(1)
		if err == io.EOF || err == nil && next[0] != ' ' && next[0] != '\t' {
			return nil
		}
		if err == nil {
			err = h.appendLine()
		}
		if err != nil {
			return err
		}
	}
}

// appendLine reads a line to the end of the field. The error is io.EOF only if
// there was nothing.
func (h *HeaderReader) appendLine() error {
	h.line++
	for start := len(h.field); ; {
		part, err := h.r.ReadSlice('\n')
		if h.bytes += len(part); h.bytes > h.limits.Bytes {
			return &HeaderError{h.line, fmt.Sprintf("more than %d bytes", h.limits.Bytes)}
		}
		h.field = append(h.field, part...)
		switch {
		case err == nil || err == io.EOF && len(h.field) > start:
			return nil
		case err != bufio.ErrBufferFull:
			return err
		}
	}
}

func isEmptyLine(line []byte) bool { return string(line) == "\r\n" || string(line) == "\n" }

// beginsField reports whether line has a field name and a colon.
func beginsField(line []byte) bool {
	name, _, ok := bytes.Cut(line, []byte(":"))
	return ok && isFieldName(name)
}

func isFieldName(name []byte) bool {
	name = bytes.TrimRight(name, " \t") // RFC 5322, 4.5
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(name) > 0
}

// isMailboxLine reports whether line is the one that mbox files put before each
// message (RFC 4155), perhaps quoted.
func isMailboxLine(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From "))
}

// Header is the fields of a message, in order.
type Header []RawField

// Get returns the first field of the name, or nil.
func (h Header) Get(name string) RawField {
	for _, f := range h {
		if strings.EqualFold(f.Name(), name) {
			return f
		}
	}
	return nil
}

// ReadHeader reads all fields and returns them with the body, which begins
// after the empty line. Errors are those of [HeaderReader.Next].
func ReadHeader(r io.Reader, limits HeaderLimits) (Header, io.Reader, error) {
	hr := NewHeaderReader(r, limits)
	var h Header
	for {
		f, err := hr.Next()
		if err == io.EOF {
			return h, hr.Body(), nil
		}
		if err != nil {
			return h, nil, err
		}
		h = append(h, bytes.Clone(f))
	}
}
