package sendmail

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/posthouse/posthouse/message"
)

const (
	inMemory  = 1 << 20    // octets of a text that are kept without a file
	largest   = 1000 << 20 // octets of a text: what the drop directory takes, and more than a daemon does
	blockSize = 64 << 10
)

// errTooLarge says that there is no end of a text in sight.
var errTooLarge = errors.New("the message is larger than 1000 MiB")

// text is the text of a message, which can be read more than once. It is a
// smtpclient.Body and a mail.Content. Large ones are in a file without a name.
type text struct {
	memory  []byte
	file    *os.File
	size    int64
	inspect message.Inspector
}

// Write adds to the text.
func (t *text) Write(p []byte) (int, error) {
	if t.size+int64(len(p)) > largest {
		return 0, errTooLarge
	}
	_, _ = t.inspect.Write(p)
	t.size += int64(len(p))
	if t.file == nil && t.size <= inMemory {
		t.memory = append(t.memory, p...)
		return len(p), nil
	}
	if t.file == nil {
		if err := t.spill(); err != nil {
			return 0, err
		}
	}
	return t.file.Write(p)
}

// spill moves the text to a file, which is gone when we are.
func (t *text) spill() error {
	f, err := os.CreateTemp("", "posthouse-sendmail-*")
	if err != nil {
		return err
	}
	t.file = f
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	_, err = f.Write(t.memory)
	t.memory = nil
	return err
}

// Size implements [smtpclient.Body].
func (t *text) Size() int64 { return t.size }

// Open implements [smtpclient.Body].
func (t *text) Open() (io.ReadCloser, error) {
	if t.file != nil {
		return io.NopCloser(io.NewSectionReader(t.file, 0, t.size)), nil
	}
	return io.NopCloser(bytes.NewReader(t.memory)), nil
}

func (t *text) close() {
	if t.file != nil {
		_ = t.file.Close()
	}
}

// untilDot reads up to a line that is a single dot, or to the end.
type untilDot struct {
	r      *bufio.Reader
	piece  []byte // read, and not given out yet
	middle bool   // the next piece does not begin a line
	ended  error
}

// Read implements [io.Reader].
func (u *untilDot) Read(p []byte) (int, error) {
	for len(u.piece) == 0 {
		if u.ended != nil {
			return 0, u.ended
		}
		u.next()
	}
	n := copy(p, u.piece)
	u.piece = u.piece[n:]
	return n, nil
}

// next takes a line, or as much of it as there is room for.
func (u *untilDot) next() {
	piece, err := u.r.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		u.ended = err
	}
	if !u.middle && string(bytes.TrimRight(piece, "\r\n")) == "." {
		u.ended = io.EOF
		return
	}
	u.piece, u.middle = piece, errors.Is(err, bufio.ErrBufferFull)
}
