package message

import (
	"bufio"
	"io"
)

// crlfReader reads r with every line end turned into CRLF.
type crlfReader struct {
	r       *bufio.Reader
	cr      bool // the last byte given out was a CR
	pending bool // a CR was given out whose LF is still to come
}

func newCRLFReader(r io.Reader) *crlfReader { return &crlfReader{r: bufio.NewReader(r)} }

func (c *crlfReader) Read(p []byte) (int, error) {
	for n := range p {
		b, err := c.next()
		if err != nil {
			return n, err
		}
		p[n] = b
	}
	return len(p), nil
}

func (c *crlfReader) next() (byte, error) {
	if c.pending {
		c.pending = false
		return '\n', nil
	}
	b, err := c.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if b == '\n' && c.cr { // the second half of a CRLF
		c.cr = false
		return c.next()
	}
	c.cr = b == '\r'
	if b == '\r' || b == '\n' {
		c.pending = true
		return '\r', nil
	}
	return b, nil
}
