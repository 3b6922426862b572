package pgspool

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Contents are rows of about chunkSize octets, less than a megabyte, in a table for each hour, so that the
// content of mail that comes and goes is written once and never deleted: the table is dropped.

const (
	chunkSize   = 128 << 10
	sliceLength = time.Hour
	// sliceGrace is how long after its end a slice is emptied of what is still there, and
	// dropped: an open draft and a slow reader have that time.
	sliceGrace = time.Hour
)

// sliceSet is the tables that are known to be there.
type sliceSet struct {
	mu   sync.Mutex
	made map[int32]bool
}

func (l *sliceSet) has(slice int32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.made[slice]
}

func (l *sliceSet) add(slice int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil {
		l.made = map[int32]bool{}
	}
	l.made[slice] = true
	for old := range l.made {
		if old < slice-100 {
			delete(l.made, old)
		}
	}
}

func sliceAt(t time.Time) int32 { return int32(t.Unix() / int64(sliceLength/time.Second)) }

// table is the name of a slice's table.
func table(slice int32) string {
	if slice == 0 {
		return "body_rest"
	}
	return fmt.Sprintf("body_%d", slice)
}

// makeSlices makes the tables of this hour and the next.
func (s *Spool) makeSlices(ctx context.Context) error {
	this := sliceAt(time.Now())
	for slice := this; slice <= this+1; slice++ {
		if err := s.makeSlice(ctx, slice); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spool) makeSlice(ctx context.Context, slice int32) error {
	if s.slices.has(slice) {
		return nil
	}
	var there bool
	if err := s.pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table(slice)).Scan(&there); err != nil {
		return told(err)
	}
	if !there {
		err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, fmt.Sprintf("SELECT pg_advisory_xact_lock(hashtext(current_schema()), 4); "+
				"CREATE TABLE IF NOT EXISTS %s (LIKE body_rest INCLUDING ALL) WITH (toast_tuple_target = 8160)", table(slice)))
			return err
		})
		if err != nil {
			return err
		}
	}
	s.slices.add(slice)
	return nil
}

// chunk is a row of a body.
type chunk struct {
	id    mail.ID
	slice int32
	n     int32
	data  []byte
}

// sum is the checksum of a chunk with what it belongs to.
func sum(id mail.ID, n int32, data []byte) int64 {
	key := binary.BigEndian.AppendUint32(id[:len(id):len(id)], uint32(n))
	return int64(crc32.Update(crc32.Checksum(key, spool.Castagnoli), spool.Castagnoli, data))
}

// queueChunks adds chunks to a batch, those of each slice in one statement.
func queueChunks(b *pgx.Batch, chunks []chunk) {
	for len(chunks) > 0 {
		slice, rest := chunks[0].slice, []chunk(nil)
		var names, data [][]byte
		var ns []int32
		var sums []int64
		for i := range chunks {
			c := &chunks[i]
			if c.slice != slice {
				rest = append(rest, *c)
				continue
			}
			names, ns, data = append(names, c.id[:]), append(ns, c.n), append(data, full(c.data))
			sums = append(sums, sum(c.id, c.n, c.data))
		}
		b.Queue("INSERT INTO "+table(slice)+" (id, n, sum, data) SELECT * FROM unnest($1::bytea[], $2::int[], $3::bigint[], $4::bytea[])",
			names, ns, sums, data)
		chunks = rest
	}
}

// full is never nil, which would be no octets at all to the database, rather than none.
func full(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// keepChunk writes one chunk of a draft. It is not waited for: the commit of the message, which
// comes later in the same log, makes it durable.
func (s *Spool) keepChunk(c chunk) error {
	ctx, cancel := s.limit(s.ctx)
	defer cancel()
	if err := s.makeSlice(ctx, c.slice); err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue("SELECT set_config('synchronous_commit', 'off', true)")
	queueChunks(&b, []chunk{c})
	return told(s.run(ctx, &b))
}
