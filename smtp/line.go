package smtp

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Errors of [Reader.Line] and of the readers of a message. All of them are the
// doing of the other side; none of them ends a line or a message.
var (
	ErrLineTooLong = errors.New("line is too long")
	ErrBareCR      = errors.New("CR without LF")
	ErrBareLF      = errors.New("LF without CR")
	ErrTooLarge    = errors.New("message is too large")
	ErrFlood       = errors.New("endless line")
)

const (
	bufferSize = 32 * 1024
	idleSize   = 256
	// maxSkip bounds what is read and thrown away to find the end of a line
	// that was already refused.
	maxSkip = 1 << 20
)

// Buffers lends its readers the memory that they need while bytes are in
// flight, so that a session which waits for the other side holds almost none.
// The zero value is ready. A Buffers may be shared by any number of readers.
type Buffers struct {
	pool sync.Pool // of *[bufferSize]byte
}

func (b *Buffers) get() *[bufferSize]byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p
	}
	return new([bufferSize]byte)
}

// Reader reads the lines of a dialogue, the text of DATA and the chunks of
// BDAT from one connection. It has one user at a time.
type Reader struct {
	src     io.Reader
	buffers *Buffers
	buf     *[bufferSize]byte // nil while nothing is buffered
	r, w    int               // buf[r:w] is unread
	skip    bool              // the rest of a refused line comes first
	idle    [idleSize]byte    // takes the first bytes after a wait
}

// NewReader returns a Reader over src that borrows its memory from buffers
// (nil: a store of its own).
func NewReader(src io.Reader, buffers *Buffers) *Reader {
	if buffers == nil {
		buffers = new(Buffers)
	}
	return &Reader{src: src, buffers: buffers}
}

// Reset makes the reader start anew over src. Bytes that were read ahead are
// forgotten (RFC 3207, 6: whatever came before TLS).
func (r *Reader) Reset(src io.Reader) {
	r.release()
	r.src, r.skip = src, false
}

// Buffered returns the number of octets that were read ahead.
func (r *Reader) Buffered() int { return r.w - r.r }

// Ahead waits until at least one octet is buffered, and takes none.
func (r *Reader) Ahead() error {
	if r.Buffered() > 0 {
		return nil
	}
	return r.fill(false)
}

// Line reads the next line and returns it without its CRLF. Only CRLF ends a
// line. The slice is valid until the next call.
//
// A line with a bare CR or LF, or of more than most octets (CRLF included), is
// an error: [ErrBareCR], [ErrBareLF] or [ErrLineTooLong]. It is reported as
// soon as it is seen, and the rest of that line, up to its CRLF, is passed
// over by the next call, so that one bad line is one error. [ErrFlood] is a
// refused line with no end in sight. A connection that ends inside a line is
// [io.ErrUnexpectedEOF]; between lines, [io.EOF].
func (r *Reader) Line(most int) ([]byte, error) {
	if most > bufferSize {
		most = bufferSize
	}
	if r.skip {
		if err := r.skipLine(); err != nil {
			return nil, err
		}
	}
	for from := 0; ; {
		b := r.unread()
		if i := bytes.IndexByte(b[from:], '\n'); i >= 0 {
			return r.takeLine(b[:from+i+1], most)
		}
		from = len(b)
		if from >= most {
			r.r, r.skip = r.w, true
			return nil, ErrLineTooLong
		}
		if err := r.fill(false); err != nil {
			if err == io.EOF && from > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// takeLine consumes line, which ends in the first LF that was found.
func (r *Reader) takeLine(line []byte, most int) ([]byte, error) {
	r.r += len(line)
	n := len(line)
	if n < 2 || line[n-2] != '\r' {
		r.skip = true
		return nil, ErrBareLF
	}
	if n > most {
		return nil, ErrLineTooLong
	}
	line = line[:n-2]
	if bytes.IndexByte(line, '\r') >= 0 {
		return nil, ErrBareCR
	}
	return line, nil
}

// skipLine passes over the rest of a refused line.
func (r *Reader) skipLine() error {
	cr := false
	for skipped := 0; skipped < maxSkip; {
		b := r.unread()
		for len(b) > 0 {
			i := bytes.IndexByte(b, '\n')
			if i < 0 {
				break
			}
			ends := i > 0 && b[i-1] == '\r' || i == 0 && cr
			r.r += i + 1
			skipped += i + 1
			b, cr = b[i+1:], false
			if ends {
				r.skip = false
				return nil
			}
		}
		if len(b) > 0 {
			cr = b[len(b)-1] == '\r'
			skipped += len(b)
			r.r = r.w
		}
		if err := r.fill(false); err != nil {
			return err
		}
	}
	return ErrFlood
}

func (r *Reader) unread() []byte {
	if r.buf == nil {
		return nil
	}
	return r.buf[r.r:r.w]
}

// fill reads more octets behind those that are unread. There must be room: at
// most bufferSize-1 octets may be unread. With bulk, much is expected to come;
// without, the reader is about to wait, and gives back its memory meanwhile.
func (r *Reader) fill(bulk bool) error {
	if r.r == r.w && !bulk {
		r.release()
		n, err := r.read(r.idle[:])
		if n > 0 {
			r.buf = r.buffers.get()
			r.w = copy(r.buf[:], r.idle[:n])
			return nil
		}
		return err
	}
	if r.buf == nil {
		r.buf = r.buffers.get()
	}
	if r.r > 0 {
		r.w = copy(r.buf[:], r.buf[r.r:r.w])
		r.r = 0
	}
	n, err := r.read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil
	}
	return err
}

// read retries the reads that bring nothing a few times, as bufio does.
func (r *Reader) read(p []byte) (int, error) {
	for range 100 {
		n, err := r.src.Read(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

func (r *Reader) release() {
	if r.buf != nil {
		r.buffers.pool.Put(r.buf)
		r.buf = nil
	}
	r.r, r.w = 0, 0
}

// Release gives the reader's memory back. It may not be used afterwards.
func (r *Reader) Release() {
	r.release()
	r.src = nil
}
