package message

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"strings"
)

// ErrNot7Bit says that a part has 8-bit bytes where no encoding is allowed: it
// is in an encoding unknown to us, or a multipart without a boundary.
var ErrNot7Bit = errors.New("message: a part cannot be made 7-bit")

// Encode7Bit copies the message in r to w, made fit for a way without 8BITMIME
// (RFC 6152, 3) or BINARYMIME (RFC 3030, 3): each leaf with content that is
// not 7bit in the sense of RFC 2045, 2.7 (bytes past ASCII, NUL, CR or LF
// alone, lines of more than 998 bytes) is encoded, text in quoted-printable
// and everything else in base64, and its Content-Transfer-Encoding tells so.
// Leaves in messages in the message are found too. What was 7bit stays as it
// is, byte for byte; of what was not, decoding gives back every byte.
//
// Some things have no encoding. Header fields in UTF-8 stay: they need
// SMTPUTF8, see [Inspector]. In the text around the parts of a multipart,
// which nobody reads, "?" stands for each such byte; in a leaf that says it is
// base64 such bytes are dropped, as every reader does (RFC 2045, 6.8). A
// signature over a part that has to be encoded does not survive (RFC 1847,
// 2.1), nor does DKIM's over the body.
//
// r should have CRLF line ends. If it is an [io.Seeker] it is read twice, from
// where it stands; if it is not, and the message is longer than 256 KiB, then
// it cannot be known in time which leaves are 7bit, and all are encoded that
// are not already. Memory is bounded. Errors are those of r and w,
// [ErrTooComplex], [ErrNot7Bit], or a [*HeaderError] for a header of more than
// 1 MiB; w may then have had a part of the message.
func Encode7Bit(w io.Writer, r io.Reader) error {
	r, rewind := rewindable(r)
	s := surveyor{inHead: true}
	if rewind != nil {
		if err := eachLine(r, s.piece, s.close); err != nil {
			return err
		}
		if err := rewind(); err != nil {
			return err
		}
	}
	bw := bufio.NewWriter(w)
	e := encoder7{w: bw, plan: s.dirty, inHead: true, isMessage: true}
	if err := eachLine(r, e.piece, e.close); err != nil {
		return err
	}
	return bw.Flush()
}

const rewindRoom = 256 << 10

// rewindable returns a reader of what r holds, and how to read it again; nil
// if that is not possible.
func rewindable(r io.Reader) (io.Reader, func() error) {
	if s, ok := r.(io.Seeker); ok {
		if start, err := s.Seek(0, io.SeekCurrent); err == nil {
			return r, func() error {
				_, err := s.Seek(start, io.SeekStart)
				return err
			}
		}
	}
	var head bytes.Buffer
	_, err := io.CopyN(&head, r, rewindRoom+1)
	if err == io.EOF {
		return rewindable(bytes.NewReader(head.Bytes()))
	}
	return io.MultiReader(&head, errorReader{err}, r), nil
}

// errorReader fails if it has an error, and otherwise is empty.
type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, cmp.Or(e.err, io.EOF) }

func eachLine(r io.Reader, give func([]byte, bool) error, end func() error) error {
	s := lineSplitter{give: give}
	if _, err := io.Copy(&s, r); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	return end()
}

// surveyor notes for each leaf, in order, whether it is not 7bit.
type surveyor struct {
	walk   mimeWalker
	dirty  []bool
	inHead bool
	line   int // bytes of the line so far
}

func (s *surveyor) piece(p []byte, start bool) error {
	kind := s.walk.step(p, start)
	s.follow(kind)
	if start {
		s.line = 0
	}
	s.line += len(p)
	if kind == lineBody && !is7Bit(p, s.line) {
		s.dirty[len(s.dirty)-1] = true
	}
	return s.walk.err
}

// follow counts a leaf when its header is over.
func (s *surveyor) follow(kind lineKind) {
	if s.inHead && kind != lineHeader {
		if s.walk.entity.kind == leafEntity {
			s.dirty = append(s.dirty, false)
		}
		s.inHead = s.walk.entity.kind == messageEntity
	}
	if kind == lineBoundary {
		s.inHead = !s.walk.inGap
	}
}

// close counts a leaf whose header nothing ends.
func (s *surveyor) close() error {
	s.dirty = append(s.dirty, false)
	return nil
}

// is7Bit says whether a piece of a line is 7bit data (RFC 2045, 2.7); length
// is that of the line up to its end.
func is7Bit(p []byte, length int) bool {
	content, end := cutEnd(p)
	return length-len(end) <= hardLine && len(end) != 1 &&
		!has8Bit(content) && bytes.IndexByte(content, 0) < 0 && bytes.IndexByte(content, '\r') < 0
}

// encoder7 writes the message. A line end is written when it is known whether
// it belongs to the content before it or to a boundary after it.
type encoder7 struct {
	w    *bufio.Writer
	walk mimeWalker
	plan []bool // which leaves must be encoded, as far as that is known
	leaf int    // leaves so far

	inHead    bool
	isMessage bool // the header is that of a message, not of a part
	head      []byte
	lines     int
	body      bodyEncoder
	eol       []byte // not written yet
}

// bodyEncoder takes the content of a leaf. Line ends come by themselves.
type bodyEncoder interface {
	content(p []byte) error
	lineEnd(eol []byte) error
	// close ends the leaf, before a boundary or at the end of the message.
	close() error
}

func (e *encoder7) piece(p []byte, start bool) error {
	if start {
		e.lines++
	}
	kind := e.walk.step(p, start)
	if e.walk.err != nil {
		return e.walk.err
	}
	switch kind {
	case lineHeader:
		return e.addHead(p)
	case lineHeaderEnd:
		return e.endHead(p)
	}
	if e.inHead {
		if err := e.endHead(nil); err != nil {
			return err
		}
	}
	switch kind {
	case lineBody:
		return e.bodyLine(p)
	case lineBoundary:
		return e.boundaryLine(p)
	}
	_, err := e.w.Write(blank8Bit(p))
	return err
}

func (e *encoder7) addHead(p []byte) error {
	if len(e.head)+len(p) > 1<<20 {
		return &HeaderError{e.lines, "more than 1 MiB"}
	}
	e.head = append(e.head, p...)
	return nil
}

func (e *encoder7) bodyLine(p []byte) error {
	if err := e.flushEOL(); err != nil {
		return err
	}
	content, eol := cutEnd(p)
	e.eol = append(e.eol[:0], eol...)
	return e.body.content(content)
}

func (e *encoder7) flushEOL() error {
	if len(e.eol) == 0 {
		return nil
	}
	err := e.body.lineEnd(e.eol)
	e.eol = e.eol[:0]
	return err
}

func (e *encoder7) boundaryLine(p []byte) error {
	if err := e.closeBody(); err != nil {
		return err
	}
	e.w.Write(e.eol)
	e.eol = e.eol[:0]
	e.inHead, e.isMessage = !e.walk.inGap, false
	_, err := e.w.Write(p)
	return err
}

func (e *encoder7) closeBody() error {
	if e.body == nil {
		return nil
	}
	err := e.body.close()
	e.body = nil
	return err
}

// close ends the message.
func (e *encoder7) close() error {
	if e.inHead && len(e.head) > 0 {
		e.walk.endHeader(false)
		if err := e.endHead(nil); err != nil {
			return err
		}
	}
	if e.body == nil {
		return nil
	}
	if err := e.flushEOL(); err != nil {
		return err
	}
	return e.closeBody()
}

// endHead writes the header collected, as the body needs it, and chooses how
// the body goes on.
func (e *encoder7) endHead(empty []byte) error {
	entity := &e.walk.entity
	encoding := ""
	if entity.kind == leafEntity {
		encoding = e.leafEncoding(entity)
	} else if entity.encoding != "" {
		encoding = "7bit"
	}
	if encoding != "" && encoding != entity.encoding {
		e.head = e.declare(encoding)
		if len(empty) == 0 {
			empty = []byte("\r\n") // the header is longer now: it needs its end
		}
	}
	e.w.Write(e.head)
	_, err := e.w.Write(empty)
	e.head = e.head[:0]
	e.inHead = entity.kind == messageEntity
	e.isMessage = e.inHead
	return err
}

// leafEncoding opens the encoder of a leaf and returns the encoding to declare,
// empty if there is nothing to change.
func (e *encoder7) leafEncoding(entity *entity) string {
	dirty := e.leaf >= len(e.plan) || e.plan[e.leaf]
	e.leaf++
	switch {
	case entity.encoding == "quoted-printable":
		e.body = &qpMender{w: e.w}
	case entity.encoding == "base64":
		e.body = base64Mender{e.w}
	case !entity.isIdentity(), dirty && strings.HasPrefix(entity.typ, "multipart/"):
		e.body = refuser{e.w}
	case !dirty:
		e.body = verbatim{e.w}
		if entity.encoding != "" {
			return "7bit"
		}
	case strings.HasPrefix(entity.typ, "text/"), strings.HasPrefix(entity.typ, "message/"):
		e.body = &qpEncoder{w: e.w}
		return "quoted-printable"
	default:
		e.body = base64Encoder{&base64Writer{w: e.w}}
		return "base64"
	}
	return ""
}

// declare returns the header with a Content-Transfer-Encoding, in the place of
// the one that is there. A message without other MIME fields gets what it
// lacks: 8-bit text of which nobody says what it is has its own charset name
// (RFC 1428, 3).
func (e *encoder7) declare(encoding string) []byte {
	var out []byte
	field := "Content-Transfer-Encoding: " + encoding + "\r\n"
	lacksVersion := e.isMessage
	hr := NewHeaderReader(bytes.NewReader(e.head), HeaderLimits{Bytes: len(e.head), Fields: len(e.head)})
	for f, err := hr.Next(); err == nil; f, err = hr.Next() {
		switch strings.ToLower(f.Name()) {
		case "content-transfer-encoding":
			out = append(out, field...)
			field = ""
			continue
		case "mime-version":
			lacksVersion = false
		}
		out = append(out, f...)
	}
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, "\r\n"...)
	}
	if encoding == "7bit" {
		return append(out, field...)
	}
	if lacksVersion {
		out = append(out, "MIME-Version: 1.0\r\n"...)
	}
	if !e.walk.entity.hasType && e.walk.entity.typ == "text/plain" {
		out = append(out, "Content-Type: text/plain; charset=unknown-8bit\r\n"...)
	}
	return append(out, field...)
}
