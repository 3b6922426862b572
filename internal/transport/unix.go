package transport

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// UnixText returns what a reader of a text has, with each CRLF as a LF: what
// programs and files of Unix expect. A CR that stands elsewhere stays.
func UnixText(r io.Reader) io.Reader { return &unixText{r: bufio.NewReader(r)} }

type unixText struct {
	r    *bufio.Reader
	line []byte // what is left of the last one; in the buffer of r
	err  error  // behind it
}

// Read implements [io.Reader].
func (u *unixText) Read(p []byte) (int, error) {
	if len(u.line) == 0 && u.err == nil {
		u.next()
	}
	if len(u.line) == 0 {
		return 0, u.err
	}
	n := copy(p, u.line)
	u.line = u.line[n:]
	return n, nil
}

// next reads a line, or as much of one as fits into the buffer. A CR at the end
// of that is left for the next time, when it is known what follows.
func (u *unixText) next() {
	u.line, u.err = u.r.ReadSlice('\n')
	n := len(u.line)
	switch {
	case bytes.HasSuffix(u.line, []byte("\r\n")):
		u.line[n-2] = '\n'
		u.line = u.line[:n-1]
	case errors.Is(u.err, bufio.ErrBufferFull):
		u.err = nil
		if u.line[n-1] == '\r' {
			u.line, u.err = u.line[:n-1], u.r.UnreadByte()
		}
	}
}
