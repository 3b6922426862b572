package message

import "bytes"

// Traits are the properties of a message that decide which servers can take it.
type Traits struct {
	// UTF8Header reports that a header field is not ASCII: one of the message, of
	// a part, or of a message in a part. Such a message needs SMTPUTF8 (RFC 6531,
	// 3).
	UTF8Header bool
	// Body8Bit reports that something else is not ASCII. Such a message needs
	// 8BITMIME (RFC 6152), or can be made fit with [Encode7Bit].
	Body8Bit bool
	// LongestLine is the length of the longest line in bytes, without line end.
	// DATA can carry 998 (RFC 5321, 4.5.3.1.6); more needs BINARYMIME.
	LongestLine int
	// NUL, BareCR and BareLF report a NUL, a CR without LF and an LF without CR.
	// Each of them needs BINARYMIME (RFC 3030).
	NUL, BareCR, BareLF bool
}

// Inspector finds the [Traits] of a message that is written to it, in pieces of
// any size. The zero value is ready. It keeps no more than some kilobytes of the
// message. What is more than 50 multiparts deep counts as body.
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

// piece counts line ends, so that the sums tell whether there was a CR or LF alone,
// and finds out where bytes past ASCII are.
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
