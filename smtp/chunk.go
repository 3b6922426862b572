package smtp

import "io"

// ChunkReader reads the octets that follow a BDAT command (RFC 3030, 2). It
// reads exactly as many as the command said.
type ChunkReader struct {
	r    *Reader
	left int64
	err  error
}

// Chunk returns a reader of the next size octets, whatever they are. A size
// below 0 is 0.
func (r *Reader) Chunk(size int64) *ChunkReader {
	return &ChunkReader{r: r, left: max(size, 0)}
}

// Left returns the number of octets that are still to come.
func (c *ChunkReader) Left() int64 { return c.left }

// Err returns what broke the connection, nil for nothing.
func (c *ChunkReader) Err() error { return c.err }

// Read implements [io.Reader]. It returns io.EOF once the whole chunk was
// read, and [io.ErrUnexpectedEOF] if the connection ends before.
func (c *ChunkReader) Read(p []byte) (int, error) {
	run, err := c.next(len(p))
	return copy(p, run), err
}

// WriteTo implements [io.WriterTo]; it copies nothing on the way.
func (c *ChunkReader) WriteTo(w io.Writer) (int64, error) {
	var sum int64
	for {
		run, err := c.next(bufferSize)
		if err == io.EOF {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		n, err := w.Write(run)
		sum += int64(n)
		if err != nil {
			return sum, err
		}
	}
}

// Drain reads the rest of the chunk and throws it away. It returns nil when
// the chunk has come whole.
func (c *ChunkReader) Drain() error {
	for {
		if _, err := c.next(bufferSize); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// next returns the next run of the chunk, at most limit octets, straight from
// the buffer; it is valid until the next call.
func (c *ChunkReader) next(limit int) ([]byte, error) {
	if c.err != nil {
		return nil, c.err
	}
	if c.left == 0 {
		return nil, io.EOF
	}
	if c.r.Buffered() == 0 {
		if err := c.r.fill(true); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			c.err = err
			return nil, err
		}
	}
	b := c.r.unread()
	b = b[:min(int64(len(b)), c.left, int64(limit))]
	c.r.r += len(b)
	c.left -= int64(len(b))
	return b, nil
}

// LineCheck holds text that comes in pieces to the rules that [DotReader] has
// for DATA. It is for BDAT without BODY=BINARYMIME, whose text must be lines too
// (RFC 3030, 3). The zero value stands before the first piece.
type LineCheck struct {
	Limit int  // octets of a line, CRLF included; 0: no limit
	line  int  // octets of the current line so far
	cr    bool // the last octet was a CR
	dots  bool // a line begins with a dot
}

// Check looks at the next piece. The error is [ErrBareCR], [ErrBareLF] or
// [ErrLineTooLong], and the text is refused with it: Check is not called again.
func (c *LineCheck) Check(p []byte) error {
	for len(p) > 0 {
		if c.cr {
			if p[0] != '\n' {
				return ErrBareCR
			}
			c.cr, c.line, p = false, 0, p[1:]
			continue
		}
		c.dots = c.dots || c.line == 0 && p[0] == '.'
		whole, part, fault := scanText(p, c.line, c.Limit) // up to the next line with a dot
		if fault != nil {
			return fault
		}
		if whole > 0 {
			c.line = 0
		}
		c.line += part
		p = p[whole+part:]
		if len(p) == 1 && p[0] == '\r' {
			if c.Limit > 0 && c.line+len("\r\n") > c.Limit {
				return ErrLineTooLong
			}
			c.cr, p = true, nil
		}
	}
	return nil
}

// Dotted reports whether a line begins with a dot so far: DATA needs another before it.
func (c *LineCheck) Dotted() bool { return c.dots }

// End returns nil if the text may end here, and [ErrBareCR] if its last octet is
// a CR.
func (c *LineCheck) End() error {
	if c.cr {
		return ErrBareCR
	}
	return nil
}
