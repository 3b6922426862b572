package smtp

import (
	"bytes"
	"io"
)

// NewLines returns a reader of r's text in which every line ends with CRLF: a
// bare LF and a bare CR each become one. It is for text that was made on this
// side, a file for example; text that came in over SMTP is passed on as it is.
func NewLines(r io.Reader) io.Reader { return &newLines{r: r} }

type newLines struct {
	r   io.Reader
	in  [4096]byte
	out []byte // of buf: not yet handed out
	buf [2 * 4096]byte
	cr  bool // the last octet was a CR: its CRLF is out already, and an LF adds nothing
	err error
}

func (n *newLines) Read(p []byte) (int, error) {
	for tries := 0; len(n.out) == 0; tries++ {
		if n.err != nil {
			return 0, n.err
		}
		if tries == maxEmptyReads {
			return 0, io.ErrNoProgress
		}
		var k int
		k, n.err = n.r.Read(n.in[:])
		n.convert(n.in[:k])
	}
	k := copy(p, n.out)
	n.out = n.out[k:]
	return k, nil
}

// convert puts raw into out.
func (n *newLines) convert(raw []byte) {
	n.out = n.buf[:0]
	for len(raw) > 0 {
		line, rest, lf := bytes.Cut(raw, []byte("\n"))
		for {
			before, after, cr := bytes.Cut(line, []byte("\r"))
			n.out = append(n.out, before...)
			n.cr = n.cr && len(before) == 0
			if !cr {
				break
			}
			n.out = append(n.out, '\r', '\n')
			line, n.cr = after, true
		}
		if lf {
			if !n.cr {
				n.out = append(n.out, '\r', '\n')
			}
			n.cr = false
		}
		raw = rest
	}
}
