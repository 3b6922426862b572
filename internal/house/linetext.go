package house

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// Begin implements [spool.Engine]. A draft is the node's own until it is committed.
func (l *line) Begin(ctx context.Context, size int64) (spool.Draft, error) {
	l.base.mu.Lock()
	defer l.base.mu.Unlock()
	if l.over() {
		return nil, spool.ErrClosed
	}
	if time.Now().Before(l.base.down) || !l.seat.reaches() {
		return nil, errRefused
	}
	d, err := l.base.spool.Begin(ctx, size)
	if err != nil {
		return nil, err
	}
	return &draft{d, l, l.base.spool}, nil
}

// draft is one of a line, and of the spool that was the base's when it began.
type draft struct {
	spool.Draft
	line *line
	of   *memspool.Spool
}

// Memory implements [spool.InMemory].
func (d *draft) Memory() ([]byte, bool) { return d.Draft.(spool.InMemory).Memory() }

// Write implements [spool.Draft].
func (d *draft) Write(p []byte) (int, error) {
	n, err := d.Draft.Write(p)
	if errors.Is(err, spool.ErrClosed) && !d.line.over() {
		err = errRefused // another primary has taken the place of the one before
	}
	return n, err
}

// Commit implements [spool.Draft].
func (d *draft) Commit(ctx context.Context, c spool.Commit) (*spool.Lease, error) {
	defer d.Abort()
	return asked(ctx, d.line, "commit", d.ID(), func(s *memspool.Spool) (*spool.Lease, error) {
		if s != d.of {
			return nil, errRefused
		}
		lease, err := d.Draft.Commit(context.Background(), c)
		if err == nil {
			d.line.base.hear(d.ID(), c.Facts)
			d.line.base.leased(d.line.seat, c.For, lease)
			if lease == nil {
				d.line.base.wake(d.line.seat)
			}
		}
		return lease, err
	})
}

// Open implements [spool.Engine].
func (l *line) Open(ctx context.Context, id mail.ID) (mail.Content, error) {
	return asked(ctx, l, "open", id, func(s *memspool.Spool) (mail.Content, error) {
		c, err := s.Open(context.Background(), id)
		if err != nil {
			return nil, err
		}
		return &content{l, id, c.Size()}, nil
	})
}

// content is that of a message, whatever primary there is.
type content struct {
	line *line
	id   mail.ID
	size int64
}

// Size implements [mail.Content].
func (c *content) Size() int64 { return c.size }

// Open implements [mail.Content].
func (c *content) Open() (io.ReadCloser, error) {
	text, err := c.line.base.now().Open(context.Background(), c.id)
	if err != nil {
		return nil, err
	}
	return text.Open()
}
