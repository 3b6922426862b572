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
// BDAT from one connection. It has one user at a time. While it waits for the
// next line it needs a few hundred octets, and borrows from its [Buffers] only
// for what is longer.
type Reader struct {
	src     io.Reader
	buffers *Buffers
	lent    *[bufferSize]byte // nil while idle is enough
	buf     []byte            // all of idle or of lent
	r, w    int               // buf[r:w] is unread
	skip    bool              // the rest of a refused line comes first
	idle    [idleSize]byte
}

// NewReader returns a Reader over src that borrows its memory from buffers
// (nil: a store of its own).
func NewReader(src io.Reader, buffers *Buffers) *Reader {
	if buffers == nil {
		buffers = new(Buffers)
	}
	r := &Reader{src: src, buffers: buffers}
	r.release()
	return r
}

// Reset makes the reader start anew over src. Bytes that were read ahead are
// forgotten (RFC 3207, 4.2: whatever came before TLS).
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
// A line with a bare CR or LF, or of more than most octets (CRLF included; at
// most 32768), is an error: [ErrBareCR], [ErrBareLF] or [ErrLineTooLong]. It is
// returned at the first LF, or once most octets hold none, and the rest of that
// line, up to its CRLF, is passed over by the next call, so that one bad line
// is one error. [ErrFlood] is a refused line with no end in sight. A connection
// that ends inside a line is [io.ErrUnexpectedEOF]; between lines, [io.EOF].
func (r *Reader) Line(most int) ([]byte, error) {
	most = min(most, bufferSize)
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
			r.skip = true
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
	text, whole := bytes.CutSuffix(line, []byte("\r\n"))
	r.skip = !whole
	switch {
	case len(line) > most:
		return nil, ErrLineTooLong
	case !whole:
		return nil, ErrBareLF
	case bytes.IndexByte(text, '\r') >= 0:
		return nil, ErrBareCR
	}
	return text, nil
}

// skipLine passes over the rest of a refused line. A CR at the end of what is
// buffered stays there, for its LF may follow.
func (r *Reader) skipLine() error {
	for skipped := 0; skipped < maxSkip; {
		b := r.unread()
		if i := bytes.Index(b, []byte("\r\n")); i >= 0 {
			r.r += i + len("\r\n")
			r.skip = false
			return nil
		}
		n := len(bytes.TrimSuffix(b, []byte("\r")))
		r.r += n
		skipped += n
		if err := r.fill(false); err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
	}
	return ErrFlood
}

func (r *Reader) unread() []byte { return r.buf[r.r:r.w] }

// fill reads more octets behind those that are unread. There must be room: at
// most bufferSize-1 octets may be unread. With bulk, much is expected to come;
// without, a line is, and memory is borrowed only when idle is full and the
// line goes on.
func (r *Reader) fill(bulk bool) error {
	switch {
	case r.r == r.w && !bulk:
		r.release()
	case r.lent == nil && (bulk || r.w == len(r.buf)):
		r.borrow()
	case r.r > 0 && r.lent != nil:
		r.w = copy(r.buf, r.unread())
		r.r = 0
	}
	n, err := r.read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil
	}
	return err
}

// maxEmptyReads is how many reads in a row may bring nothing.
const maxEmptyReads = 100

func (r *Reader) read(p []byte) (int, error) {
	for range maxEmptyReads {
		n, err := r.src.Read(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// borrow goes over from idle to a large buffer.
func (r *Reader) borrow() {
	r.lent = r.buffers.get()
	n := copy(r.lent[:], r.unread())
	r.buf, r.r, r.w = r.lent[:], 0, n
}

// release gives a large buffer back, with all that was read ahead.
func (r *Reader) release() {
	if r.lent != nil {
		r.buffers.pool.Put(r.lent)
		r.lent = nil
	}
	r.buf, r.r, r.w = r.idle[:], 0, 0
}

// Release gives the reader's memory back. It may not be used afterwards.
func (r *Reader) Release() {
	r.release()
	r.src = nil
}
