package memspool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// draft is a message in the making. Its fields belong to the goroutine that has
// the draft, but for what it counts in the spool.
type draft struct {
	s     *Spool
	id    mail.ID
	data  []byte
	ended bool
}

// Begin implements [spool.Engine].
func (s *Spool) Begin(ctx context.Context, size int64) (spool.Draft, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if !s.room(max(size, 1)) {
		return nil, spool.ErrFull
	}
	id, err := mail.NewID(time.Now(), s.opts.Random)
	if err != nil {
		return nil, fmt.Errorf("new id: %w", err)
	}
	return &draft{s: s, id: id}, nil
}

func (s *Spool) room(more int64) bool {
	return s.opts.Capacity == 0 || s.disk.stats.Bytes+s.drafts+more <= s.opts.Capacity
}

func (d *draft) ID() mail.ID { return d.id }

func (d *draft) Write(p []byte) (int, error) {
	if d.ended {
		return 0, spool.ErrClosed
	}
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if err := d.s.usable(); err != nil {
		return 0, err
	}
	if !d.s.room(int64(len(p))) {
		return 0, spool.ErrFull
	}
	d.s.drafts += int64(len(p))
	d.data = append(d.data, p...)
	return len(p), nil
}

func (d *draft) Open() (io.ReadCloser, error) {
	if d.ended {
		return nil, spool.ErrClosed
	}
	return io.NopCloser(bytes.NewReader(d.data)), nil
}

// Memory implements [spool.InMemory].
func (d *draft) Memory() ([]byte, bool) { return d.data, !d.ended }

func (d *draft) Size() int64 { return int64(len(d.data)) }

func (d *draft) Abort() {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	d.end()
}

func (d *draft) end() {
	if !d.ended {
		d.ended = true
		d.s.drafts -= int64(len(d.data))
		d.data = nil
	}
}

func (d *draft) Commit(ctx context.Context, c spool.Commit) (*spool.Lease, error) {
	if d.ended {
		return nil, spool.ErrClosed
	}
	defer d.Abort()
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("commit %s: %w", d.id, err)
	}
	if err := d.s.enter(ctx); err != nil {
		return nil, fmt.Errorf("commit %s: %w", d.id, err)
	}
	defer d.s.mu.Unlock()
	lease := d.commit(&c)
	if !sabotage.Is("a commit is lazy") {
		d.s.disk.synced()
	}
	return lease, nil
}

// commit puts the message on the disk. The spool is locked.
func (d *draft) commit(c *spool.Commit) *spool.Lease {
	now := time.Now()
	m := &message{env: c.Envelope, content: slices.Concat(c.Prepend, d.data)}
	m.env.ID, m.env.Size, m.env.To = d.id, int64(len(m.content)), slices.Clone(m.env.To)
	for i := range m.env.To {
		st := spool.Standing{Recipient: i, Destination: strings.ToLower(m.env.To[i].To.Domain())}
		place := spool.Fresh
		if m.env.HoldUntil.After(now) {
			place, st.Due = spool.Waiting, m.env.HoldUntil
		}
		m.standings, m.places = append(m.standings, st), append(m.places, place)
	}
	d.s.disk.add(m)
	d.s.record(d.id, c.Facts)
	return d.s.born(m, c.For, now)
}

// born is the lease of a message that was just committed.
func (s *Spool) born(m *message, owner spool.Owner, now time.Time) *spool.Lease {
	if m.places[0] != spool.Fresh {
		return nil
	}
	if s.book.Valid(owner, now) != nil {
		s.wake(owner.Name)
		return nil
	}
	lease := &spool.Lease{Envelope: m.env}
	for i := range m.standings {
		s.take(lease, owner, m, i)
	}
	return lease
}

// Open implements [spool.Engine].
func (s *Spool) Open(ctx context.Context, id mail.ID) (mail.Content, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if d, bad := s.disk.damaged[id]; bad {
		return nil, fmt.Errorf("open %s: %w: %s", id, spool.ErrDamaged, d.What)
	}
	m := s.disk.messages[id]
	if m == nil {
		return nil, fmt.Errorf("open %s: %w", id, spool.ErrNotFound)
	}
	if m.spoiled {
		return nil, s.quarantine(id)
	}
	return &content{s, id, m.env.Size}, nil
}

// quarantine takes a damaged message out of every index.
func (s *Spool) quarantine(id mail.ID) error {
	s.disk.damaged[id] = spool.Damage{ID: id, At: time.Now(), What: "content spoiled"}
	s.disk.forget(id)
	return fmt.Errorf("open %s: %w: content spoiled", id, spool.ErrDamaged)
}

// content is that of a message for as long as it is there.
type content struct {
	s    *Spool
	id   mail.ID
	size int64
}

func (c *content) Size() int64 { return c.size }

func (c *content) Open() (io.ReadCloser, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if err := c.s.usable(); err != nil {
		return nil, err
	}
	m := c.s.disk.messages[c.id]
	if m == nil {
		return nil, fmt.Errorf("open %s: %w", c.id, spool.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(m.content)), nil
}
