package smtp

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Errors of [Reader.Line] and of the readers of a message: the other side sent
// what it may not. What causes one never counts as the end of a line or message.
var (
	ErrLineTooLong = errors.New("line is too long")
	ErrBareCR      = errors.New("CR without LF")
	ErrBareLF      = errors.New("LF without CR")
	ErrTooLarge    = errors.New("message is too large")
	ErrFlood       = errors.New("endless line") // a refused line goes on for more than 1 MiB
)

const (
	bufferSize = 32 * 1024
	idleSize   = 256
	// maxSkip bounds what is read and thrown away to find the end of a line
	// that was already refused.
	maxSkip = 1 << 20
)

// Buffers is a store of memory that readers share. A [Reader] borrows from it
// while it reads much at a time and gives back when it waits for the next line,
// so that an idle session holds almost no memory. The zero value is ready, and
// any number of readers may share it.
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
// next line it needs a few hundred octets; for more it borrows 32 KiB from its
// [Buffers]. When the reader is not needed any more, call [Reader.Release].
type Reader struct {
	src     io.Reader
	buffers *Buffers
	lent    *[bufferSize]byte // nil while idle is enough
	buf     []byte            // all of idle or of lent
	r, w    int               // buf[r:w] is unread
	skip    bool              // the rest of a refused line is still to be passed over
	idle    [idleSize]byte
}

// NewReader returns a Reader over src that borrows its memory from buffers. If
// buffers is nil, the reader gets a store of its own.
func NewReader(src io.Reader, buffers *Buffers) *Reader {
	if buffers == nil {
		buffers = new(Buffers)
	}
	r := &Reader{src: src, buffers: buffers}
	r.release()
	return r
}

// Reset makes the reader start anew over src. Octets that were read ahead are
// dropped: after STARTTLS nothing may count that came before TLS (RFC 3207, 4.2).
func (r *Reader) Reset(src io.Reader) {
	r.release()
	r.src, r.skip = src, false
}

// Buffered returns how many octets were read ahead and not taken yet.
func (r *Reader) Buffered() int { return r.w - r.r }

// Ahead waits until at least one octet is buffered, and leaves it there.
func (r *Reader) Ahead() error {
	if r.Buffered() > 0 {
		return nil
	}
	return r.fill(false)
}

// Line reads the next line and returns it without its CRLF. Only CRLF ends a
// line. The slice is valid until the next call.
//
// The limit most counts the CRLF, and is 32768 at the highest. A longer line is
// [ErrLineTooLong]; a line with a CR or LF that is not part of its CRLF is
// [ErrBareCR] or [ErrBareLF]. One bad line is one error: the next call skips
// what is left of it, up to and with its CRLF, before it reads a line, and gives
// up with [ErrFlood] if that is more than 1 MiB. When the connection ends, the
// error is [io.EOF] between two lines and [io.ErrUnexpectedEOF] inside one.
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

// fill reads more octets behind those that are unread, of which there may be
// bufferSize-1 at most. If bulk is set a text or chunk is expected, and the large
// buffer is used at once; otherwise a line is, and the large buffer is borrowed
// only when the line does not fit into idle.
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
