package smtp

import (
	"bytes"
	"errors"
	"io"

	"github.com/posthouse/posthouse/internal/sabotage"
)

// TextLimits bound the text of a message. A zero field is no limit.
type TextLimits struct {
	Size int64 // octets, stuffed dots not counted
	Line int   // octets of a line, CRLF included (RFC 5321, 4.5.3.1.6, allows 1000)
}

// DotReader reads the text that follows DATA, up to the final dot, with
// stuffed dots removed (RFC 5321, 4.5.2). The text ends at CRLF.CRLF and at
// nothing else; a dot and CRLF as its first line is an empty text.
//
// A text that has a bare CR or LF, or that is beyond its limits, is at fault:
// reading returns the fault ([ErrBareCR], [ErrBareLF], [ErrLineTooLong] or
// [ErrTooLarge]) in place of [io.EOF], and none of the octets that follow it.
// [DotReader.Drain] then finds the end of the text, so that the dialogue can go
// on. A connection that ends inside the text is [io.ErrUnexpectedEOF].
type DotReader struct {
	r      *Reader
	limits TextLimits
	size   int64
	rest   []byte // a run that Read has not handed out yet
	line   int    // octets of the current line that are already out
	inLine bool   // the next octet does not begin a line
	fault  error  // the first thing wrong with the text
	end    error  // io.EOF after the final dot, or what broke the connection
}

// Dot returns a reader of the text up to the final dot.
func (r *Reader) Dot(limits TextLimits) *DotReader {
	return &DotReader{r: r, limits: limits}
}

// Size returns the number of octets of the text that were read so far, within
// the limits.
func (d *DotReader) Size() int64 { return d.size }

// Read implements [io.Reader]. It returns io.EOF after the final dot of a text
// without fault, and only then.
func (d *DotReader) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		var err error
		if d.rest, err = d.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// WriteTo implements [io.WriterTo]. It writes straight from the reader's buffer,
// and returns nil after the final dot of a text without fault, and only then.
func (d *DotReader) WriteTo(w io.Writer) (int64, error) {
	var sum int64
	for {
		if len(d.rest) > 0 {
			n, err := w.Write(d.rest)
			sum += int64(n)
			d.rest = d.rest[n:]
			if err != nil {
				return sum, err
			}
		}
		var err error
		if d.rest, err = d.next(); err == io.EOF {
			return sum, nil
		} else if err != nil {
			return sum, err
		}
	}
}

// Drain reads on to the final dot and throws away what comes before it. It
// returns what was wrong with the text (nil: nothing), or what broke the
// connection. A text is whole if and only if Drain returns nil.
func (d *DotReader) Drain() error {
	d.rest = nil
	for d.end == nil {
		if d.fault != nil {
			d.findEnd()
		} else {
			_, _ = d.next() // its error is kept in fault or end
		}
	}
	if d.end != io.EOF {
		return d.end
	}
	return d.fault
}

// next returns the next piece of the text, of at least one octet. It is part of
// the reader's buffer, and valid until the next call.
func (d *DotReader) next() ([]byte, error) {
	for d.fault == nil && d.end == nil {
		if text := d.gather(); len(text) > 0 {
			return text, nil
		}
		if d.fault == nil && d.end == nil {
			d.fill()
		}
	}
	if d.fault != nil {
		return nil, d.fault
	}
	return nil, d.end
}

// gather takes all the text that the buffer holds, in one piece: it drops stuffed
// dots by moving up what follows them. Otherwise each dot would begin a new
// piece, and a text whose lines all begin with one would be read, and written by
// whoever reads it, a line at a time.
func (d *DotReader) gather() []byte {
	buf, start, end := d.r.buf, 0, 0
	for {
		if !d.inLine && !d.beginLine() {
			return buf[start:end]
		}
		from := d.r.r
		n := d.run(d.r.unread())
		switch {
		case n == 0:
			return buf[start:end]
		case start == end:
			start, end = from, from+n
		default:
			end += copy(buf[end:], buf[from:from+n])
		}
	}
}

// beginLine takes the dot at the start of a line, if there is one, and reports
// whether text follows.
func (d *DotReader) beginLine() bool {
	dot, known := leadingDot(d.r.unread())
	switch {
	case !known:
		return false
	case dot == final:
		d.r.r += len(".\r\n")
		d.end = io.EOF
		return false
	case dot == stuffed:
		if !sabotage.Is("stuffed dots stay") {
			d.r.r++
		}
		d.inLine = true
	}
	return true
}

// dotKind is what the start of a line says.
type dotKind int

const (
	noDot dotKind = iota
	stuffed
	final
)

// leadingDot tells what the start of a line is, if b holds enough to know.
func leadingDot(b []byte) (kind dotKind, known bool) {
	switch {
	case len(b) == 0:
		return noDot, false
	case b[0] != '.':
		return noDot, true
	case len(b) == 1:
		return noDot, false
	case b[1] != '\r':
		return stuffed, true
	case len(b) == 2:
		return noDot, false
	case b[2] != '\n':
		return stuffed, true
	}
	return final, true
}

// run takes from b what belongs to the text, up to the next line that begins
// with a dot, and leaves a CR at the end of b for the next time. Before a fault
// it takes whole lines only, so that inLine stays true to where the reader is:
// findEnd goes on from there.
func (d *DotReader) run(b []byte) int {
	whole, part, fault := scanText(b, d.line, d.limits.Line)
	if whole > 0 {
		d.line, d.inLine = 0, false
	}
	if fault != nil {
		d.r.r += whole
		d.fault = fault
		return 0
	}
	if part > 0 {
		d.line += part
		d.inLine = true
	}
	n := whole + part
	d.r.r += n
	if d.limits.Size > 0 && d.size+int64(n) > d.limits.Size {
		d.fault = ErrTooLarge
		return 0
	}
	d.size += int64(n)
	return n
}

func (d *DotReader) fill() {
	if err := d.r.fill(true); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if sabotage.Is("a cut text is taken for whole") {
			err = io.EOF
		}
		d.end = err
	}
}

// findEnd passes over a text at fault, up to and with CRLF.CRLF.
func (d *DotReader) findEnd() {
	for d.end == nil {
		b := d.r.unread()
		if !d.inLine {
			switch dot, known := leadingDot(b); {
			case !known:
				d.fill()
				continue
			case dot == final:
				d.r.r += len(".\r\n")
				d.end = io.EOF
				return
			}
			d.inLine = true
		}
		if i := bytes.Index(b, []byte("\r\n")); i >= 0 {
			d.r.r += i + len("\r\n")
			d.inLine = false
			continue
		}
		d.r.r += len(bytes.TrimSuffix(b, []byte("\r")))
		d.fill()
	}
}

// DotWriter writes the text that follows DATA: it doubles the dot at the start
// of a line, and [DotWriter.Close] adds the final dot (RFC 5321, 4.5.2).
//
// A text with a bare CR or LF is refused with [ErrBareCR] or [ErrBareLF]: some
// servers take either for the end of a line, and would take text behind it for
// commands. What was written before cannot be taken back, so the connection must
// be closed then, without the final dot. [NewLines] makes text with other line
// ends fit to be written.
type DotWriter struct {
	w      io.Writer
	inLine bool // the next octet does not begin a line
	cr     bool // the last octet was a CR, not yet written
	err    error
}

// NewDotWriter returns a writer of text to w. It makes several small writes for
// each line that begins with a dot, so w should be buffered.
func NewDotWriter(w io.Writer) *DotWriter { return &DotWriter{w: w} }

// Write implements [io.Writer]. After an error every call returns the same one.
func (d *DotWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && d.err == nil; {
		rest = rest[d.take(rest):]
	}
	if d.err != nil {
		return 0, d.err
	}
	return len(p), nil
}

// take writes the start of p, up to the next line that begins with a dot, and
// returns how much that was. A CR at the end of p is held back until the LF.
func (d *DotWriter) take(p []byte) int {
	if d.cr {
		if p[0] != '\n' {
			d.err = ErrBareCR
			return 0
		}
		d.put("\r\n")
		d.cr, d.inLine = false, false
		return 1
	}
	if !d.inLine && p[0] == '.' && !sabotage.Is("dots are not stuffed") {
		d.put(".")
	}
	whole, part, fault := scanText(p, 0, 0)
	if fault != nil {
		d.err = fault
		return 0
	}
	n := whole + part
	d.write(p[:n])
	d.inLine = part > 0
	if n == len(p)-1 && p[n] == '\r' {
		d.cr = true
		n++
	}
	return n
}

// Close ends the text: with CRLF if its last line had none, then with the
// final dot. It does not close the writer below.
func (d *DotWriter) Close() error {
	if d.err == nil && d.cr {
		d.err = ErrBareCR
	}
	if d.inLine {
		d.put("\r\n")
	}
	d.put(".\r\n")
	if d.err != nil {
		return d.err
	}
	d.err = errors.New("text is ended")
	return nil
}

func (d *DotWriter) write(p []byte) {
	if d.err == nil && len(p) > 0 {
		_, d.err = d.w.Write(p)
	}
}

func (d *DotWriter) put(s string) {
	if d.err == nil {
		_, d.err = io.WriteString(d.w, s)
	}
}

// scanText measures the text at the start of b. It returns how many octets are
// whole lines with their CRLF, and how many follow that are part of a line whose
// end is not in b. It stops before a line that begins with a dot, unless that is
// the first one, and before a CR that ends b. line is how many octets of the
// first line came before b; limit is how many a line may have, CRLF included,
// and 0 is any number.
//
// It searches from CR to CR, and finds an LF without CR by counting the LFs: both
// are loops over many octets at a time, which is several times faster than
// looking at each octet.
func scanText(b []byte, line, limit int) (whole, part int, fault error) {
	lines := 0
	for whole < len(b) && (whole == 0 || b[whole] != '.') {
		part = bytes.IndexByte(b[whole:], '\r')
		if part < 0 {
			part = len(b) - whole
			break
		}
		cr := whole + part
		if cr+1 == len(b) {
			break
		}
		if b[cr+1] != '\n' {
			fault = ErrBareCR
			break
		}
		if limit > 0 && line+part+len("\r\n") > limit {
			fault = ErrLineTooLong
			break
		}
		whole, part, line, lines = cr+2, 0, 0, lines+1
	}
	switch {
	case bytes.Count(b[:whole+part], []byte("\n")) != lines:
		fault = ErrBareLF
	case fault == nil && part > 0 && limit > 0 && line+part+len("\r\n") > limit:
		fault = ErrLineTooLong
	}
	return whole, part, fault
}
