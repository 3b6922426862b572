package verify

import (
	"bufio"
	"bytes"
	"io"
	"os"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/mail"
)

// maxInput is how much of the standard input is taken, which is kept in memory.
const maxInput = 64 << 20

// open finds a message. A file is read as often as it is needed.
func open(stdin io.Reader, name string) (mail.Content, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, cli.Fail(cli.NoInput, "%w", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			return nil, cli.Fail(cli.NoInput, "%s is no regular file", name)
		}
		if err != nil {
			return nil, cli.Fail(cli.NoInput, "%w", err)
		}
		return stored{func() (io.ReadCloser, error) { return os.Open(name) }, info.Size()}, nil
	}
	text, err := io.ReadAll(io.LimitReader(stdin, maxInput+1))
	switch {
	case err != nil:
		return nil, cli.Fail(cli.NoInput, "%w", err)
	case len(text) > maxInput:
		return nil, cli.Fail(cli.NoInput, "the standard input has more than %s (name a file)", cli.Octets(maxInput))
	}
	return stored{func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }, int64(len(text))}, nil
}

// stored is a message as it was put away: with the line ends of this system or of the network, and
// perhaps with the line in front that a mailbox in one file has.
type stored struct {
	open func() (io.ReadCloser, error)
	size int64
}

// Size implements mail.Content.
func (s stored) Size() int64 { return s.size }

// Open implements mail.Content: lines end with CRLF. Where the first one does, no line is changed.
func (s stored) Open() (io.ReadCloser, error) {
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(f)
	if start, _ := r.Peek(5); string(start) == "From " {
		if err := dropLine(r); err != nil {
			f.Close()
			return nil, err
		}
	}
	start, _ := r.Peek(4096)
	i := bytes.IndexByte(start, '\n')
	if i > 0 && start[i-1] == '\r' {
		return reading{r, f}, nil
	}
	return reading{&crlf{r: r}, f}, nil
}

// dropLine reads a line, however long.
func dropLine(r *bufio.Reader) error {
	for {
		_, err := r.ReadSlice('\n')
		if err != bufio.ErrBufferFull {
			return err
		}
	}
}

type reading struct {
	io.Reader
	io.Closer
}

// crlf makes CRLF of each line end.
type crlf struct {
	r    *bufio.Reader
	last byte
	owed bool // an LF
}

// Read implements [io.Reader].
func (c *crlf) Read(p []byte) (n int, err error) {
	for n < len(p) {
		b := byte('\n')
		if c.owed {
			c.owed = false
		} else if b, err = c.r.ReadByte(); err != nil {
			break
		} else if b == '\n' && c.last != '\r' {
			c.owed, b = true, '\r'
		}
		p[n], c.last = b, b
		n++
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}
