package pgspool

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// content is that of a message for as long as it is there.
type content struct {
	s    *Spool
	id   mail.ID
	size int64
}

// Open implements [spool.Engine].
func (s *Spool) Open(ctx context.Context, id mail.ID) (mail.Content, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	c := &content{s: s, id: id}
	_, _, size, err := c.find(ctx)
	if err != nil {
		return nil, err
	}
	c.size = size
	return c, nil
}

// find says where the chunks of the message are.
func (c *content) find(ctx context.Context) (slice, chunks int32, size int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.s.opts.Timeout)
	defer cancel()
	var bad *string
	err = c.s.pool.QueryRow(ctx, "SELECT m.slice, m.chunks, m.size, q.what FROM message m LEFT JOIN quarantine q ON q.id = m.id WHERE m.id = $1", c.id[:]).
		Scan(&slice, &chunks, &size, &bad)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		err = fmt.Errorf("open %s: %w", c.id, spool.ErrNotFound)
	case err != nil:
		err = fmt.Errorf("open %s: %w", c.id, told(err))
	case bad != nil:
		err = fmt.Errorf("open %s: %w: %s", c.id, spool.ErrDamaged, *bad)
	}
	return slice, chunks, size, err
}

func (c *content) Size() int64 { return c.size }

func (c *content) Open() (io.ReadCloser, error) {
	if err := c.s.enter(context.Background()); err != nil {
		return nil, err
	}
	defer c.s.leave()
	slice, chunks, size, err := c.find(context.Background())
	if err != nil {
		return nil, err
	}
	r := &reader{s: c.s, id: c.id, slice: slice, end: chunks, left: size, whole: true}
	if err := r.fill(); err != nil && !errors.Is(err, io.EOF) { // now, since the message may go
		return nil, err
	}
	return r, nil
}

// reader reads chunks, one at a time. The table of a slice outlives its messages, so that
// one that is open stays good.
type reader struct {
	s         *Spool
	id        mail.ID
	slice     int32
	next, end int32
	data      []byte
	left      int64 // octets that are still to come
	whole     bool  // of a message: left counts
	err       error
}

func (r *reader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		if r.err == nil {
			r.err = r.fill()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

// Close ends the reader.
func (r *reader) Close() error {
	r.data, r.err = nil, spool.ErrClosed
	return nil
}

// fill gets the next chunk that is not empty.
func (r *reader) fill() error {
	for len(r.data) == 0 {
		if r.next == r.end {
			if r.whole && r.left != 0 {
				return r.damaged("it is shorter than it was")
			}
			return io.EOF
		}
		if err := r.chunk(); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) chunk() error {
	if err := r.s.enter(context.Background()); err != nil {
		return err
	}
	defer r.s.leave()
	data, check, err := r.fetch(r.slice)
	if code(err) == codeNoTable || errors.Is(err, pgx.ErrNoRows) && r.slice != 0 { // moved meanwhile
		data, check, err = r.fetch(0)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return r.damaged(fmt.Sprintf("chunk %d of %d is missing", r.next, r.end))
	case err != nil:
		return fmt.Errorf("read %s: %w", r.id, told(err))
	case check != sum(r.id, r.next, data):
		return r.damaged(fmt.Sprintf("the checksum of chunk %d does not match", r.next))
	}
	r.data = data
	r.left -= int64(len(data))
	r.next++
	return nil
}

func (r *reader) fetch(slice int32) (data []byte, check int64, err error) {
	ctx, cancel := r.s.limit(r.s.ctx)
	defer cancel()
	err = r.s.pool.QueryRow(ctx, "SELECT sum, data FROM "+table(slice)+" WHERE id = $1 AND n = $2", r.id[:], r.next).Scan(&check, &data)
	return data, check, err
}

// damaged puts the message in quarantine.
func (r *reader) damaged(what string) error {
	if !r.whole {
		return fmt.Errorf("read draft %s: %w: %s", r.id, spool.ErrDamaged, what)
	}
	err := fmt.Errorf("read %s: %w: %s", r.id, spool.ErrDamaged, what)
	return errors.Join(err, r.s.quarantine(r.id, "content: "+what))
}
