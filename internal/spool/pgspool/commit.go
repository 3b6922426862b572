package pgspool

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Commits that come at the same time go into one transaction, since what a commit costs is the
// wait for the disks of the primary and its standby. Clerks take what is there, without
// waiting for more: while one waits for its transaction, others gather.
const (
	clerks     = 3
	maxBatch   = 256     // messages
	batchBytes = 4 << 20 // octets of contents
	batchNames = 20_000  // recipients
)

// arrival is a message that is to be committed, and who waits for it.
type arrival struct {
	env     mail.Envelope
	owner   spool.Owner
	place   spool.Place
	due     int64
	slice   int32
	chunks  int32
	content []chunk
	facts   []spool.Fact

	ctx   context.Context
	done  chan struct{}
	lease *spool.Lease
	err   error
}

// arrive makes an arrival of a draft.
func (d *draft) arrive(c *spool.Commit) *arrival {
	a := &arrival{env: c.Envelope, owner: c.For, place: spool.Fresh, slice: d.slice, facts: c.Facts}
	a.env.ID, a.env.Size = d.id, int64(len(c.Prepend))+d.size
	a.env.To = slices.Clone(a.env.To)
	if due := spool.Nanos(a.env.HoldUntil); due > now() {
		a.place, a.due, a.owner = spool.Waiting, due, spool.Owner{}
	}
	if d.chunks == 0 {
		a.content, a.chunks = []chunk{{d.id, d.slice, 0, slices.Concat(c.Prepend, d.buf)}}, 1
		return a
	}
	a.content, a.chunks = []chunk{{d.id, d.slice, 0, c.Prepend}}, d.chunks+1
	if len(d.buf) > 0 {
		a.content = append(a.content, chunk{d.id, d.slice, a.chunks, d.buf})
		a.chunks++
	}
	return a
}

// commit hands an arrival to a clerk and waits for what becomes of it.
func (s *Spool) commit(ctx context.Context, a *arrival) (*spool.Lease, error) {
	a.ctx, a.done = ctx, make(chan struct{})
	select {
	case s.arrivals <- a:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	<-a.done
	return a.lease, a.err
}

// clerk commits arrivals until there are no more.
func (s *Spool) clerk() {
	for a := range s.arrivals {
		s.take(s.gather(a))
	}
}

// gather takes what else is there.
func (s *Spool) gather(first *arrival) []*arrival {
	batch := []*arrival{first}
	octets, names := 0, 0
	for a := first; ; {
		for i := range a.content {
			octets += len(a.content[i].data)
		}
		names += len(a.env.To)
		if len(batch) == maxBatch || octets > batchBytes || names > batchNames {
			return batch
		}
		select {
		case next, open := <-s.arrivals:
			if !open {
				return batch
			}
			a = next
			batch = append(batch, a)
		default:
			return batch
		}
	}
}

// take commits a batch. If one of several is what the database cannot keep, the others are
// committed without it.
func (s *Spool) take(batch []*arrival) {
	batch = slices.DeleteFunc(batch, func(a *arrival) bool {
		if a.err = a.ctx.Err(); a.err != nil {
			close(a.done)
		}
		return a.err != nil
	})
	if len(batch) == 0 {
		return
	}
	err := s.insert(batch)
	if err != nil && !doubtful(err) && code(err) != "" && len(batch) > 1 {
		for i := range batch {
			s.take(batch[i : i+1 : i+1])
		}
		return
	}
	free := false
	for _, a := range batch {
		if a.err = inDoubt(err); err != nil {
			a.lease = nil
		}
		free = free || a.lease == nil
		close(a.done)
	}
	if err != nil {
		s.pulse.look()
	} else if free {
		s.tell()
	}
}

// insert commits a batch in one transaction, which goes to the database in one piece.
func (s *Spool) insert(batch []*arrival) error {
	ctx, cancel := s.limit(s.ctx)
	defer cancel()
	for _, a := range batch {
		if err := s.makeSlice(ctx, a.slice); err != nil {
			return err
		}
	}
	var b pgx.Batch
	s.queueArrivals(&b, batch)
	for {
		err := s.run(ctx, &b)
		if doubtful(err) && s.unheard(ctx, arrived(batch)) == done {
			return nil
		}
		if !again(err) || ctx.Err() != nil {
			return err
		}
		b = pgx.Batch{}
		s.queueArrivals(&b, batch)
	}
}

// queueArrivals adds what makes messages ours to a batch, and says how their leases are filled in.
func (s *Spool) queueArrivals(b *pgx.Batch, batch []*arrival) {
	queueBirth(b, batch)
	s.queueMessages(b, batch)
	var t tally
	var facts []note
	var chunks []chunk
	for _, a := range batch {
		t.arrive(a)
		chunks = append(chunks, a.content...)
		if len(a.facts) > 0 {
			facts = append(facts, note{a.env.ID, a.facts})
		}
	}
	queueChunks(b, chunks)
	queueFacts(b, facts, &t)
	t.queue(b)
}

// queueBirth asks which owners of arrivals live, and fills in the leases.
func queueBirth(b *pgx.Batch, batch []*arrival) {
	owners := map[int64]bool{}
	var epochs []int64
	for _, a := range batch {
		if e := int64(a.owner.Epoch); e != 0 && !owners[e] {
			owners[e], epochs = true, append(epochs, e)
		}
	}
	if len(epochs) > 0 {
		// The lock keeps the epochs from being ended before this is committed.
		b.Queue("SELECT epoch, name FROM node WHERE epoch = ANY($1) AND until > now() AND NOT over ORDER BY epoch FOR KEY SHARE", epochs).
			Query(func(rows pgx.Rows) error { return bear(rows, batch) })
	}
}

// bear gives the leases to the owners whose epochs last.
func bear(rows pgx.Rows, batch []*arrival) error {
	living, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (spool.Owner, error) {
		var name []byte
		var epoch int64
		err := row.Scan(&epoch, &name)
		return spool.Owner{Name: string(name), Epoch: uint64(epoch)}, err
	})
	if err != nil {
		return err
	}
	for _, a := range batch {
		a.lease = nil
		if a.place != spool.Fresh || !slices.Contains(living, a.owner) {
			continue
		}
		a.lease = &spool.Lease{Envelope: a.env, Recipients: make([]spool.Standing, len(a.env.To))}
		for i := range a.env.To {
			a.lease.Recipients[i] = spool.Standing{Recipient: i, Destination: firstDestination(&a.env, i)}
		}
	}
	return nil
}

// firstDestination is that of a recipient that was never tried.
func firstDestination(env *mail.Envelope, i int) string {
	return strings.ToLower(env.To[i].To.Domain())
}

func (s *Spool) queueMessages(b *pgx.Batch, batch []*arrival) {
	n, names := len(batch), 0
	id, envelopes := make([][]byte, n), make([][]byte, n)
	slice, chunks, recipients, sizes := make([]int32, n), make([]int32, n), make([]int32, n), make([]int64, n)
	for i, a := range batch {
		id[i], slice[i], chunks[i], recipients[i], sizes[i] = a.env.ID[:], a.slice, a.chunks, int32(len(a.env.To)), a.env.Size
		envelopes[i] = sealEnvelope(&a.env)
		names += len(a.env.To)
	}
	b.Queue(`INSERT INTO message (id, slice, size, chunks, recipients, open, envelope)
		SELECT id, slice, size, chunks, recipients, recipients, envelope
		FROM unnest($1::bytea[], $2::int[], $3::bigint[], $4::int[], $5::int[], $6::bytea[]) AS u (id, slice, size, chunks, recipients, envelope)`,
		id, slice, sizes, chunks, recipients, envelopes)
	r := newRows(names)
	var epochs []int64
	var owners [][]byte
	for _, a := range batch {
		for i := range a.env.To {
			r.add(&row{ref: spool.Ref{ID: a.env.ID, Recipient: i}, place: a.place, due: a.due, destination: firstDestination(&a.env, i)}, nil)
			epochs, owners = append(epochs, int64(a.owner.Epoch)), append(owners, []byte(a.owner.Name))
		}
	}
	b.Queue(`INSERT INTO recipient (id, n, place, due, destination, epoch, altered, suspect, life)
		SELECT u.id, u.n, u.place, u.due, u.destination,
			coalesce((SELECT o.epoch FROM node o WHERE o.epoch = u.epoch AND o.name = u.owner AND o.until > now() AND NOT o.over), 0), false, false, $8
		FROM unnest($1::bytea[], $2::int[], $3::smallint[], $4::bigint[], $5::bytea[], $6::bigint[], $7::bytea[]) AS u (id, n, place, due, destination, epoch, owner)`,
		r.ids, r.ns, r.places, r.dues, r.destinations, epochs, owners, s.life)
}

func sealEnvelope(env *mail.Envelope) []byte {
	return spool.Seal(spool.AppendEnvelope([]byte{recordVersion}, env), env.ID[:])
}
