package pebblespool

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// commit makes one batch of a draft, and waits until it is durable.
func (s *Spool) commit(d *draft, c *spool.Commit) (*spool.Lease, error) {
	t := s.newTx()
	defer t.close()
	waits := c.Envelope.HoldUntil.After(time.Now())
	if waits {
		s.index <- struct{}{}
	}
	a, err := t.arrive(d, c, waits)
	if err == nil {
		err = t.apply()
	}
	if waits {
		<-s.index // it is not kept waiting for the disk
	}
	d.leave()
	if err == nil && !sabotage.Is("no sync at a commit") {
		err = s.sync()
	}
	d.end()
	if err != nil {
		return nil, err // the message stays hidden until the next start knows
	}
	return s.show(a, c.For, waits), nil
}

// arrived is a message that is in a batch.
type arrived struct {
	env *mail.Envelope
	head
}

// arrive puts the message of a sealed draft into the batch, hidden until show.
func (t *tx) arrive(d *draft, c *spool.Commit, waits bool) (arrived, error) {
	env := c.Envelope
	env.ID, env.Size = d.id, int64(len(c.Prepend))+d.size
	env.To = append([]mail.Recipient(nil), env.To...)
	h := head{size: env.Size, recipients: len(env.To), generation: t.s.generation}
	if d.file != nil {
		h.file = d.file.number
		if !sabotage.Is("a file that has a message may be swept") {
			t.delete(numberKey(kIntent, h.file))
		}
	}
	t.putBody(d, c.Prepend)
	t.record = spool.Seal(appendEnvelope(t.record[:0], &h, &env), d.id[:])
	t.set(t.idKey(kEnvelope, d.id), t.record)
	t.count[countMessages]++
	t.count[countBytes] += env.Size
	t.s.mu.Lock()
	t.s.pending[d.id] = true
	t.s.mu.Unlock()
	t.tell(d.id, c.Facts)
	if waits {
		return arrived{&env, h}, t.wait(&env)
	}
	t.record = appendFlight(t.record[:0], &env)
	t.set(t.idKey(kFresh, d.id), t.record)
	t.count[spool.Fresh] += int64(len(env.To))
	return arrived{&env, h}, nil
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
		t.set(refKey(kStanding, ref), spool.Seal(now.append(nil), ref.ID[:]))
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
	sum := crc32.Update(crc32.Checksum(d.id[:], spool.Castagnoli), spool.Castagnoli, op.Value[:n])
	binary.LittleEndian.PutUint32(op.Value[n:], sum)
	_ = op.Finish() // in memory
}

// show makes a durable message visible, with the lease that was asked for.
func (s *Spool) show(a arrived, owner spool.Owner, waits bool) *spool.Lease {
	env := a.env
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
	s.bear(env.ID, a.head)
	lease := &spool.Lease{Envelope: *env, Recipients: make([]spool.Standing, len(env.To))}
	for i := range env.To {
		lease.Recipients[i] = first(env, i)
		s.book.Take(owner, spool.Ref{ID: env.ID, Recipient: i}, lease.Recipients[i].Destination)
	}
	return lease
}
