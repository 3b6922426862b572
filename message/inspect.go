package message

import "bytes"

// Traits is what a message asks of whoever carries it.
type Traits struct {
	// UTF8Header: a header field, of the message, of a part or of a message in
	// a part, has bytes past ASCII. Only SMTPUTF8 can carry it (RFC 6531, 3).
	UTF8Header bool
	// Body8Bit: there are bytes past ASCII elsewhere. Only 8BITMIME can carry
	// it (RFC 6152), or Encode7Bit help.
	Body8Bit bool
	// LongestLine is in bytes, without line end. DATA takes 998
	// (RFC 5321, 4.5.3.1.6); more is for BINARYMIME.
	LongestLine int
	// NUL, and a CR or LF without the other: only BINARYMIME can carry them
	// (RFC 3030).
	NUL, BareCR, BareLF bool
}

// Inspector looks at a message that is written to it, in any pieces, and finds
// its [Traits]. The zero value is ready. It takes little time and stores some
// kilobytes at most. What is inside more than 50 multiparts counts as body.
type Inspector struct {
	traits Traits
	walk   mimeWalker
	split  lineSplitter
	line   int // bytes of the line that pieces were given of

	lfs, crs, crlfs int
	high            bool // a byte past ASCII was written
}

// Write looks at p. It never fails.
func (i *Inspector) Write(p []byte) (int, error) {
	if i.split.give == nil {
		i.split.give = i.piece
	}
	i.high = i.high || has8Bit(p)
	i.crs += bytes.Count(p, []byte("\r"))
	i.traits.NUL = i.traits.NUL || bytes.IndexByte(p, 0) >= 0
	return i.split.Write(p)
}

// piece counts the lines, so that line ends which do not match can be told
// from the sums, and finds out what the bytes past ASCII are in.
func (i *Inspector) piece(p []byte, start bool) error {
	kind := i.walk.step(p, start)
	i.traits.note8Bit(kind, i.high && has8Bit(p))
	content, end := cutEnd(p)
	if i.line += len(content); i.line > i.traits.LongestLine {
		i.traits.LongestLine = i.line
	}
	if len(end) > 0 {
		i.line = 0
		i.lfs++
		i.crlfs += len(end) - 1
	}
	return nil
}

func (t *Traits) note8Bit(kind lineKind, high bool) {
	switch {
	case !high:
	case kind == lineHeader:
		t.UTF8Header = true
	default:
		t.Body8Bit = true
	}
}

// Traits returns what has been seen so far.
func (i *Inspector) Traits() Traits {
	t := i.traits
	t.BareCR = i.crs > i.crlfs
	t.BareLF = i.lfs > i.crlfs
	if held := i.split.held; len(held) > 0 { // a last line without end
		last := i.walk // step would change it
		last.open = append([]openMultipart(nil), last.open...)
		last.field = append([]byte(nil), last.field...)
		t.note8Bit(last.step(held, !i.split.inside), has8Bit(held))
		t.LongestLine = max(t.LongestLine, i.line+len(held))
	}
	return t
}
