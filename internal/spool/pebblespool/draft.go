package pebblespool

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// drafts is what all drafts share: a budget of memory, and buffers.
type drafts struct {
	used atomic.Int64
	pool sync.Pool // of *[]byte
}

const (
	firstBuffer = 8 << 10
	fileBuffer  = 64 << 10 // of a draft that goes to a file
)

func (d *drafts) init() {
	d.pool.New = func() any { b := make([]byte, 0, firstBuffer); return &b }
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
	return &draft{s: s, id: id, buf: s.drafts.pool.Get().(*[]byte)}, nil
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
	if d.file == nil || len(*d.buf)+len(p) <= fileBuffer {
		*d.buf = append(*d.buf, p...)
		return nil
	}
	if !d.s.room.has(d.s, int64(len(p))) {
		return spool.ErrFull
	}
	if err := d.flush(); err != nil {
		return err
	}
	if len(p) < fileBuffer {
		*d.buf = append(*d.buf, p...)
		return nil
	}
	return d.file.write(p)
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

// spill moves the draft from memory to a file.
func (d *draft) spill() (err error) {
	if d.file, err = d.s.newBodyFile(); err != nil {
		return err
	}
	err = d.flush()
	d.s.drafts.used.Add(-d.kept)
	d.kept = 0
	return err
}

// flush moves the buffer to the file.
func (d *draft) flush() error {
	err := d.file.write(*d.buf)
	if d.lent { // a reader goes on with the old one
		d.buf, d.lent = new([]byte), false
	}
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
	d.s.drafts.used.Add(-d.kept)
	if !d.lent {
		*d.buf = (*d.buf)[:0]
		d.s.drafts.pool.Put(d.buf)
	}
	d.buf = nil
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

// commit makes one batch of a draft, and waits until it is durable.
func (s *Spool) commit(d *draft, c *spool.Commit) (*spool.Lease, error) {
	t := s.newTx()
	defer t.close()
	waits := c.Envelope.HoldUntil.After(time.Now())
	if waits {
		s.index <- struct{}{}
	}
	env, err := t.arrive(d, c, waits)
	how := pebble.Sync
	if waits {
		how = pebble.NoSync // the index is not kept waiting for the disk
	}
	if err == nil {
		err = t.applyWith(how)
	}
	if waits {
		<-s.index
		if err == nil {
			err = s.sync()
		}
	}
	d.end()
	if err != nil {
		return nil, err // the message stays hidden until the next start knows
	}
	return s.show(env, c.For, waits), nil
}

// arrive puts the message of a sealed draft into the batch, hidden until show.
func (t *tx) arrive(d *draft, c *spool.Commit, waits bool) (*mail.Envelope, error) {
	env := c.Envelope
	env.ID, env.Size = d.id, int64(len(c.Prepend))+d.size
	env.To = append([]mail.Recipient(nil), env.To...)
	h := head{size: env.Size, recipients: len(env.To), generation: t.s.generation}
	if d.file != nil {
		h.file = d.file.number
		t.delete(numberKey(kIntent, h.file))
	}
	t.putBody(d, c.Prepend)
	t.set(idKey(kEnvelope, d.id), seal(appendEnvelope(nil, &h, &env), d.id[:]))
	t.count[countMessages]++
	t.count[countBytes] += env.Size
	t.s.mu.Lock()
	t.s.pending[d.id] = true
	t.s.mu.Unlock()
	t.record(d.id, c.Facts)
	if waits {
		return &env, t.wait(&env)
	}
	t.set(idKey(kFresh, d.id), binary.BigEndian.AppendUint32(nil, uint32(len(env.To))))
	t.count[spool.Fresh] += int64(len(env.To))
	return &env, nil
}

// wait puts the recipients of a new message under their due time.
func (t *tx) wait(env *mail.Envelope) error {
	for i := range env.To {
		ref := spool.Ref{ID: env.ID, Recipient: i}
		now := &standing{generation: t.s.generation, Standing: first(env, i)}
		now.Due = env.HoldUntil
		if err := t.enter(ref, now); err != nil {
			return err
		}
		t.set(refKey(kStanding, ref), seal(now.append(nil), ref.ID[:]))
	}
	if len(env.To) > 1 {
		b := binary.BigEndian.AppendUint32(nil, 0)
		t.set(idKey(kProgress, env.ID), binary.BigEndian.AppendUint32(b, uint32(len(env.To))))
	}
	return nil
}

// first is where a recipient stands that was never tried.
func first(env *mail.Envelope, i int) spool.Standing {
	return spool.Standing{Recipient: i, Destination: strings.ToLower(env.To[i].To.Domain())}
}

// putBody writes the body record: the content itself, or the prepended fields and
// what tells of the file; and a checksum.
func (t *tx) putBody(d *draft, prepend []byte) {
	body := *d.buf
	if d.file != nil {
		var tail [20]byte
		binary.BigEndian.PutUint64(tail[:], d.file.number)
		binary.BigEndian.PutUint64(tail[8:], uint64(d.file.size))
		binary.BigEndian.PutUint32(tail[16:], d.file.sum)
		body = tail[:]
	}
	op := t.b.SetDeferred(1+len(d.id), len(prepend)+len(body)+4)
	op.Key[0] = kBody
	copy(op.Key[1:], d.id[:])
	n := copy(op.Value, prepend)
	n += copy(op.Value[n:], body)
	sum := crc32.Update(crc32.Checksum(d.id[:], castagnoli), castagnoli, op.Value[:n])
	binary.LittleEndian.PutUint32(op.Value[n:], sum)
	_ = op.Finish() // in memory
}

// show makes a durable message visible, with the lease that was asked for.
func (s *Spool) show(env *mail.Envelope, owner spool.Owner, waits bool) *spool.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, env.ID)
	if waits {
		return nil
	}
	if owner == (spool.Owner{}) || s.book.Valid(owner, time.Now()) != nil {
		s.flights.add(env.ID)
		return nil
	}
	lease := &spool.Lease{Envelope: *env, Recipients: make([]spool.Standing, len(env.To))}
	for i := range env.To {
		lease.Recipients[i] = first(env, i)
		s.book.Take(owner, spool.Ref{ID: env.ID, Recipient: i}, lease.Recipients[i].Destination)
	}
	return lease
}
