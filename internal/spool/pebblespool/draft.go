package pebblespool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// drafts is what all drafts share: a budget of memory, and buffers.
type drafts struct {
	used atomic.Int64

	buffers [len(bufferSizes)]sync.Pool // of *[]byte
}

// bufferSizes are the sizes of buffers that are used again: a draft that grows out of
// one gives it back and takes another, and leaves no garbage behind. Of a new one only
// what is written to is really there.
var bufferSizes = [...]int{smallBuffer, fileBuffer, wholeBuffer}

const (
	smallBuffer = 8 << 10   // that a draft begins with
	fileBuffer  = 32 << 10  // through which a draft goes to a file, as much as one read of a connection brings
	wholeBuffer = 128 << 10 // of a draft in memory that has outgrown the small one
)

// take returns an empty buffer of at least so many octets.
func (d *drafts) take(octets int) *[]byte {
	for i, size := range bufferSizes {
		if octets > size {
			continue
		}
		if b, _ := d.buffers[i].Get().(*[]byte); b != nil {
			return b
		}
		b := make([]byte, 0, size)
		return &b
	}
	b := make([]byte, 0, octets)
	return &b
}

// give takes back what take returned.
func (d *drafts) give(b *[]byte) {
	for i, size := range bufferSizes {
		if cap(*b) == size {
			*b = (*b)[:0]
			d.buffers[i].Put(b)
			return // it is somebody else's from here on
		}
	}
}

// draft is a message in the making. It belongs to one goroutine.
type draft struct {
	s     *Spool
	id    mail.ID
	buf   *[]byte   // the content, or what of it is not yet in the file
	kept  int64     // octets of buf that are counted in the budget
	file  *bodyFile // nil while the content is in memory
	size  int64
	lent  bool // a reader may have buf
	left  bool // no sync need wait for it
	ended bool
}

// Begin implements [spool.Engine].
func (s *Spool) Begin(ctx context.Context, size int64) (spool.Draft, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	if !s.room.has(s, size) {
		return nil, spool.ErrFull
	}
	id, err := mail.NewID(time.Now(), s.opts.Random)
	if err != nil {
		return nil, fmt.Errorf("new id: %w", err)
	}
	s.syncs.open.Add(1)
	return &draft{s: s, id: id, buf: s.drafts.take(0)}, nil
}

func (d *draft) ID() mail.ID { return d.id }
func (d *draft) Size() int64 { return d.size }

func (d *draft) Write(p []byte) (int, error) {
	if d.ended {
		return 0, spool.ErrClosed
	}
	if err := d.s.enter(context.Background()); err != nil {
		return 0, err
	}
	defer d.s.leave()
	if err := d.write(p); err != nil {
		return 0, fmt.Errorf("write %s: %w", d.id, err)
	}
	d.size += int64(len(p))
	return len(p), nil
}

func (d *draft) write(p []byte) error {
	if d.file == nil && !d.fits(len(p)) {
		if err := d.spill(); err != nil {
			return err
		}
	}
	if d.file == nil {
		d.grow(len(p))
		*d.buf = append(*d.buf, p...)
		return nil
	}
	for { // through the buffer, since a file may change what it is given
		n := min(len(p), fileBuffer-len(*d.buf))
		*d.buf = append(*d.buf, p[:n]...)
		if p = p[n:]; len(p) == 0 {
			return nil
		}
		if !d.s.room.has(d.s, int64(len(p))) {
			return spool.ErrFull
		}
		if err := d.flush(); err != nil {
			return err
		}
	}
}

// grow makes room for more in the buffer, and copies what is there but once while it is one
// that is used again. A larger one is twice as large as before, but no larger than a body may
// be before it goes to a file.
func (d *draft) grow(more int) {
	need := len(*d.buf) + more
	switch {
	case need <= cap(*d.buf):
		return
	case need > wholeBuffer:
		need = max(need, min(2*cap(*d.buf), d.s.opts.LargeBody))
	default:
		need = wholeBuffer
	}
	grown := d.s.drafts.take(need)
	*grown = append(*grown, *d.buf...)
	d.drop()
	d.buf = grown
}

// drop gives the buffer back, unless a reader goes on with it.
func (d *draft) drop() {
	if !d.lent {
		d.s.drafts.give(d.buf)
	}
	d.buf, d.lent = nil, false
}

// fits reports whether so much more may be kept in memory, and counts it.
func (d *draft) fits(more int) bool {
	if d.size+int64(more) > int64(d.s.opts.LargeBody) {
		return false
	}
	if d.s.drafts.used.Add(int64(more)) > d.s.opts.DraftMemory {
		d.s.drafts.used.Add(-int64(more))
		return false
	}
	d.kept += int64(more)
	return true
}

// spill moves the draft from memory to a file. What it was gathered in is for the next
// draft: a session needs it for the start of a large message only.
func (d *draft) spill() (err error) {
	if d.file, err = d.s.newBodyFile(); err != nil {
		return err
	}
	err = d.flush()
	d.s.drafts.used.Add(-d.kept)
	d.kept = 0
	d.drop()
	d.buf = d.s.drafts.take(fileBuffer)
	return err
}

// flush moves the buffer to the file.
func (d *draft) flush() error {
	if d.lent { // a reader goes on with the old one
		own := slices.Clone(*d.buf)
		d.buf, d.lent = &own, false
	}
	err := d.file.write(*d.buf)
	*d.buf = (*d.buf)[:0]
	return err
}

func (d *draft) Open() (io.ReadCloser, error) {
	if d.ended {
		return nil, spool.ErrClosed
	}
	if d.file == nil {
		d.lent = true
		return io.NopCloser(bytes.NewReader(*d.buf)), nil
	}
	if err := d.flush(); err != nil {
		return nil, err
	}
	f, err := d.s.fs.Open(d.s.filePath(d.file.number))
	if err != nil {
		return nil, err
	}
	return &limited{io.LimitReader(f, d.size), f}, nil
}

// limited is a reader with what it reads from.
type limited struct {
	io.Reader
	io.Closer
}

// Memory implements [spool.InMemory].
func (d *draft) Memory() ([]byte, bool) {
	if d.ended || d.file != nil {
		return nil, false
	}
	return *d.buf, true
}

func (d *draft) Abort() {
	if !d.ended && d.file != nil {
		d.file.drop()
	}
	d.end()
}

// end gives back what the draft has.
func (d *draft) end() {
	if d.ended {
		return
	}
	d.ended = true
	d.leave()
	d.s.drafts.used.Add(-d.kept)
	d.drop()
}

// leave says that no sync need wait for the draft: it waits for one itself, or has ended.
func (d *draft) leave() {
	if !d.left {
		d.left = true
		d.s.syncs.leave()
	}
}

func (d *draft) Commit(ctx context.Context, c spool.Commit) (*spool.Lease, error) {
	if d.ended {
		return nil, spool.ErrClosed
	}
	lease, err := d.commit(ctx, &c)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", d.id, err)
	}
	return lease, nil
}

func (d *draft) commit(ctx context.Context, c *spool.Commit) (*spool.Lease, error) {
	if err := c.Check(); err != nil {
		d.Abort()
		return nil, err
	}
	if err := d.s.enter(ctx); err != nil {
		d.Abort()
		return nil, err
	}
	defer d.s.leave()
	if err := d.seal(); err != nil {
		d.Abort()
		return nil, err
	}
	return d.s.commit(d, c)
}

// seal makes the content of a large draft durable.
func (d *draft) seal() error {
	if d.file == nil {
		return nil
	}
	if err := d.flush(); err != nil {
		return err
	}
	return d.file.seal()
}
