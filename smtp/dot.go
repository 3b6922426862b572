package smtp

import (
	"bytes"
	"errors"
	"io"
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
// A text with a bare CR or LF, or beyond its limits, is at fault: reading
// returns that fault instead of [io.EOF] and never the octets behind it.
// [DotReader.Drain] then finds the end, where the dialogue goes on.
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

// Size returns the number of octets of the text that were read so far.
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

// WriteTo implements [io.WriterTo]; it copies nothing on the way.
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

// next returns the next run of the text, at least one octet, straight from the
// buffer; it is valid until the next call.
func (d *DotReader) next() ([]byte, error) {
	for d.fault == nil && d.end == nil {
		b := d.r.unread()
		if !d.inLine {
			dot, known := leadingDot(b)
			switch {
			case !known:
				d.fill()
				continue
			case dot == final:
				d.r.r += len(".\r\n")
				d.end = io.EOF
				continue
			case dot == stuffed:
				d.r.r++
				d.inLine = true
				continue
			}
		}
		if run := d.run(b); run > 0 {
			d.r.r += run
			return b[:run], nil
		}
		if d.fault == nil {
			d.fill()
		}
	}
	if d.fault != nil {
		return nil, d.fault
	}
	return nil, d.end
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

// run measures the octets at the start of b that belong to the text, up to the
// next line that begins with a dot; it checks them, and leaves a CR at the end
// of b for the next time.
func (d *DotReader) run(b []byte) int {
	n := 0
	for n < len(b) {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			break
		}
		lf := n + i
		if i == 0 || b[lf-1] != '\r' {
			return d.fail(ErrBareLF)
		}
		if bytes.IndexByte(b[n:lf-1], '\r') >= 0 {
			return d.fail(ErrBareCR)
		}
		if d.limits.Line > 0 && d.line+i+1 > d.limits.Line {
			return d.fail(ErrLineTooLong)
		}
		n, d.line, d.inLine = lf+1, 0, false
		if n < len(b) && b[n] == '.' {
			return d.count(n)
		}
	}
	return d.count(n + d.startOfLine(b[n:]))
}

// startOfLine measures how much of a line can go out while its end is not in
// sight.
func (d *DotReader) startOfLine(b []byte) int {
	if i := bytes.IndexByte(b, '\r'); i >= 0 {
		if i+1 < len(b) {
			return d.fail(ErrBareCR)
		}
		b = b[:i]
	}
	if len(b) == 0 {
		return 0
	}
	d.line += len(b)
	d.inLine = true
	if d.limits.Line > 0 && d.line+len("\r\n") > d.limits.Line {
		return d.fail(ErrLineTooLong)
	}
	return len(b)
}

func (d *DotReader) count(n int) int {
	if d.fault != nil {
		return 0
	}
	d.size += int64(n)
	if d.limits.Size > 0 && d.size > d.limits.Size {
		return d.fail(ErrTooLarge)
	}
	return n
}

func (d *DotReader) fail(fault error) int {
	d.fault = fault
	return 0
}

func (d *DotReader) fill() {
	if err := d.r.fill(true); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		d.end = err
	}
}

// findEnd passes over a text at fault, up to and with CRLF.CRLF.
func (d *DotReader) findEnd() {
	for d.end == nil {
		b := d.r.unread()
		if !d.inLine {
			dot, known := leadingDot(b)
			if !known {
				d.fill()
				continue
			}
			if dot == final {
				d.r.r += len(".\r\n")
				d.end = io.EOF
				return
			}
			d.inLine = true
		}
		if i := bytes.Index(b, []byte("\r\n")); i >= 0 {
			d.r.r += i + 2
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
// A text with a bare CR or LF is refused with [ErrBareCR] or [ErrBareLF], since
// some receivers would take one for the end of a line and find commands behind
// it. The text cannot be taken back then: the connection must be closed without
// the final dot. To send text with other line ends, put [NewLines] before it.
type DotWriter struct {
	w      io.Writer
	inLine bool // the next octet does not begin a line
	cr     bool // the last octet was a CR, not yet written
	err    error
}

// NewDotWriter returns a writer of text to w. It makes several small writes a
// line that begins with a dot: w should be buffered.
func NewDotWriter(w io.Writer) *DotWriter { return &DotWriter{w: w} }

// Write implements [io.Writer]. After an error every call returns the same one.
func (d *DotWriter) Write(p []byte) (int, error) {
	from := 0 // p[from:at] is checked but not yet written
	for at := 0; at < len(p) && d.err == nil; {
		if d.cr {
			if p[at] != '\n' {
				d.err = ErrBareCR
				break
			}
			d.put("\r\n")
			d.cr, d.inLine = false, false
			at++
			from = at
			continue
		}
		if !d.inLine && p[at] == '.' {
			d.write(p[from:at])
			d.put(".")
			from = at
		}
		d.inLine = true
		at = d.endOfLine(p, at)
	}
	end := len(p)
	if d.cr {
		end--
	}
	if from < end {
		d.write(p[from:end])
	}
	if d.err != nil {
		return 0, d.err
	}
	return len(p), nil
}

// endOfLine checks the line at p[at:] and returns the index behind it.
func (d *DotWriter) endOfLine(p []byte, at int) int {
	line := p[at:]
	lf := bytes.IndexByte(line, '\n')
	if lf >= 0 {
		line = line[:lf]
	}
	cr := bytes.IndexByte(line, '\r')
	switch {
	case cr >= 0 && cr < len(line)-1:
		d.err = ErrBareCR
	case lf >= 0 && cr < 0:
		d.err = ErrBareLF
	case lf >= 0:
		d.inLine = false
		return at + lf + 1
	case cr >= 0:
		d.cr = true
	}
	return len(p)
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
