package pgspool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// largeBody is the size above which a draft goes to the database as it is written.
const largeBody = 128 << 10

// drafts is what all drafts share.
type drafts struct {
	used atomic.Int64 // octets in memory
}

// draft is a message in the making. It belongs to one goroutine.
type draft struct {
	s      *Spool
	id     mail.ID
	slice  int32
	buf    []byte // the content, or what of it is not in the database yet
	kept   int64  // octets of buf that are counted
	chunks int32  // in the database: those with the numbers 1 to chunks; 0 is for what is prepended
	size   int64
	lent   bool // a reader may have buf
	ended  bool
}

// Begin implements [spool.Engine]. Beside spool.ErrFull it refuses while the database
// cannot keep the promise of a commit.
func (s *Spool) Begin(ctx context.Context, _ int64) (spool.Draft, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := s.pulse.err(); err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	t := time.Now()
	id, err := mail.NewID(t, s.opts.Random)
	if err != nil {
		return nil, fmt.Errorf("new id: %w", err)
	}
	return &draft{s: s, id: id, slice: sliceAt(t)}, nil
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
	if d.chunks == 0 && d.fits(len(p)) {
		d.buf = append(d.buf, p...)
		return nil
	}
	for {
		n := min(len(p), chunkSize-len(d.buf))
		d.buf = append(d.buf, p[:n]...)
		if p = p[n:]; len(p) == 0 && d.chunks > 0 {
			return nil
		}
		if err := d.flush(); err != nil {
			return err
		}
		if len(p) == 0 {
			return nil
		}
	}
}

// fits reports whether so much more may be kept in memory, and counts it.
func (d *draft) fits(more int) bool {
	if d.size+int64(more) > largeBody {
		return false
	}
	if d.s.drafts.used.Add(int64(more)) > d.s.opts.DraftMemory {
		d.s.drafts.used.Add(-int64(more))
		return false
	}
	d.kept += int64(more)
	return true
}

// flush moves the buffer to the database.
func (d *draft) flush() error {
	if len(d.buf) == 0 {
		return nil
	}
	if err := d.s.keepChunk(chunk{d.id, d.slice, d.chunks + 1, d.buf}); err != nil {
		return err
	}
	d.chunks++
	d.drop()
	return nil
}

// drop forgets the buffer.
func (d *draft) drop() {
	d.s.drafts.used.Add(-d.kept)
	d.kept = 0
	if d.lent || cap(d.buf) > chunkSize {
		d.buf, d.lent = nil, false
	}
	d.buf = d.buf[:0]
}

func (d *draft) Open() (io.ReadCloser, error) {
	if d.ended {
		return nil, spool.ErrClosed
	}
	d.lent = true
	rest := io.NopCloser(bytes.NewReader(d.buf))
	if d.chunks == 0 {
		return rest, nil
	}
	stored := &reader{s: d.s, id: d.id, slice: d.slice, next: 1, end: d.chunks + 1}
	return &both{io.MultiReader(stored, rest), stored}, nil
}

// both is a reader with what it reads from.
type both struct {
	io.Reader
	io.Closer
}

// Memory implements [spool.InMemory].
func (d *draft) Memory() ([]byte, bool) { return d.buf, !d.ended && d.chunks == 0 }

func (d *draft) Abort() { d.end() }

// end gives back what the draft has. Chunks in the database go with their slice.
func (d *draft) end() {
	if !d.ended {
		d.ended = true
		d.drop()
		d.buf = nil
	}
}

// Commit implements [spool.Draft]. If its end is in doubt the database is asked whether the message is there; that it
// is not yet tells nothing, and is ErrInDoubt.
func (d *draft) Commit(ctx context.Context, c spool.Commit) (*spool.Lease, error) {
	if d.ended {
		return nil, spool.ErrClosed
	}
	defer d.end()
	lease, err := d.commit(ctx, &c)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", d.id, err)
	}
	return lease, nil
}

func (d *draft) commit(ctx context.Context, c *spool.Commit) (*spool.Lease, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := d.s.enter(ctx); err != nil {
		return nil, err
	}
	defer d.s.leave()
	return d.s.commit(ctx, d.arrive(c))
}
