package message

import (
	"bufio"
	"bytes"
	"slices"
)

// Each type below is a bodyEncoder: one way to write the content of a leaf.

// isUnfit reports whether c has no place in 7bit data at all.
func isUnfit(c byte) bool { return c >= 0x80 || c == 0 }

func hasUnfit(p []byte) bool { return has8Bit(p) || bytes.IndexByte(p, 0) >= 0 }

// blank8Bit replaces what does not fit by question marks.
func blank8Bit(p []byte) []byte {
	if !hasUnfit(p) {
		return p
	}
	out := bytes.Clone(p)
	for i, c := range out {
		if isUnfit(c) {
			out[i] = '?'
		}
	}
	return out
}

// verbatim is for content that is 7bit.
type verbatim struct{ w *bufio.Writer }

func (v verbatim) content(p []byte) error   { return write(v.w, p) }
func (v verbatim) lineEnd(eol []byte) error { return write(v.w, eol) }
func (v verbatim) close() error             { return nil }

func write(w *bufio.Writer, p []byte) error {
	_, err := w.Write(p)
	return err
}

// refuser is for content that must be 7bit, since it cannot be encoded.
type refuser struct{ w *bufio.Writer }

func (r refuser) content(p []byte) error {
	if hasUnfit(p) {
		return ErrNot7Bit
	}
	return write(r.w, p)
}
func (r refuser) lineEnd(eol []byte) error { return write(r.w, eol) }
func (r refuser) close() error             { return nil }

// base64Mender is for content that says it is base64.
type base64Mender struct{ w *bufio.Writer }

func (m base64Mender) content(p []byte) error {
	if hasUnfit(p) {
		p = slices.DeleteFunc(bytes.Clone(p), isUnfit)
	}
	return write(m.w, p)
}
func (m base64Mender) lineEnd(eol []byte) error { return write(m.w, eol) }
func (m base64Mender) close() error             { return nil }

// qpMender is for content that says it is quoted-printable: what should have
// been encoded is encoded now.
type qpMender struct {
	w   *bufio.Writer
	col int
}

func (m *qpMender) content(p []byte) error {
	if !hasUnfit(p) {
		m.col += len(p)
		return write(m.w, p)
	}
	for _, c := range p {
		if isUnfit(c) {
			if m.col > qpLine-len("=XX") {
				m.w.WriteString("=\r\n")
				m.col = 0
			}
			writeHex(m.w, c)
			m.col += len("=XX")
			continue
		}
		m.w.WriteByte(c)
		m.col++
	}
	return write(m.w, nil)
}

func (m *qpMender) lineEnd(eol []byte) error {
	m.col = 0
	return write(m.w, eol)
}
func (m *qpMender) close() error { return nil }

// base64Encoder is for content that is not text.
type base64Encoder struct{ w *base64Writer }

func (b base64Encoder) content(p []byte) error {
	_, err := b.w.Write(p)
	return err
}
func (b base64Encoder) lineEnd(eol []byte) error { return b.content(eol) }
func (b base64Encoder) close() error             { return b.w.Close() }

const qpLine = 75 // RFC 2045, 6.7: 76 with the "=" of a soft line break

// qpEncoder is for text (RFC 2045, 6.7). CRLF stays a line break; a CR or LF
// alone is encoded, so that decoding gives back every byte.
type qpEncoder struct {
	w     *bufio.Writer
	col   int
	space byte // read and not written: at a line end it has to be encoded
}

func (q *qpEncoder) content(p []byte) error {
	for _, c := range p {
		q.flushSpace(false)
		switch {
		case c == ' ' || c == '\t':
			q.space = c
		case c > ' ' && c < 0x7f && c != '=':
			q.room(1)
			q.w.WriteByte(c)
		default:
			q.hex(c)
		}
	}
	return write(q.w, nil)
}

func (q *qpEncoder) lineEnd(eol []byte) error {
	if len(eol) == 1 {
		q.flushSpace(false)
		q.hex(eol[0])
		return nil
	}
	q.flushSpace(true)
	q.col = 0
	return write(q.w, eol)
}

func (q *qpEncoder) close() error {
	q.flushSpace(true)
	q.col = 0
	return write(q.w, nil)
}

func (q *qpEncoder) flushSpace(atEnd bool) {
	switch {
	case q.space == 0:
		return
	case atEnd:
		q.hex(q.space)
	default:
		q.room(1)
		q.w.WriteByte(q.space)
	}
	q.space = 0
}

func (q *qpEncoder) hex(c byte) {
	q.room(len("=XX"))
	writeHex(q.w, c)
}

// room breaks the line if n more bytes would be too many.
func (q *qpEncoder) room(n int) {
	if q.col+n > qpLine {
		q.w.WriteString("=\r\n")
		q.col = 0
	}
	q.col += n
}

func writeHex(w *bufio.Writer, c byte) {
	w.WriteByte('=')
	w.WriteByte(hexDigits[c>>4])
	w.WriteByte(hexDigits[c&15])
}
