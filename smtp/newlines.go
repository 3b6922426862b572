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
	raw []byte // of in: read and not yet looked at
	out []byte // not yet handed out
	buf [2 * 4096]byte
	cr  bool // the last octet was a CR, already handed out as CRLF
	err error
}

func (n *newLines) Read(p []byte) (int, error) {
	for len(n.out) == 0 {
		if len(n.raw) == 0 {
			if n.err != nil {
				return 0, n.err
			}
			var k int
			k, n.err = n.r.Read(n.in[:])
			n.raw = n.in[:k]
			continue
		}
		n.convert()
	}
	k := copy(p, n.out)
	n.out = n.out[k:]
	return k, nil
}

// convert moves all of raw to out.
func (n *newLines) convert() {
	if n.cr && n.raw[0] == '\n' {
		n.raw = n.raw[1:]
	}
	n.cr = false
	out := n.buf[:0]
	for len(n.raw) > 0 {
		i := bytes.IndexAny(n.raw, "\r\n")
		if i < 0 {
			out, n.raw = append(out, n.raw...), nil
			break
		}
		out = append(append(out, n.raw[:i]...), '\r', '\n')
		cr := n.raw[i] == '\r'
		n.raw = n.raw[i+1:]
		if cr && len(n.raw) == 0 {
			n.cr = true
		} else if cr && n.raw[0] == '\n' {
			n.raw = n.raw[1:]
		}
	}
	n.out = out
}
