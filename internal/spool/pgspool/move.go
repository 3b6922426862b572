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

// Import implements [spool.Importer]. What is imported is durable when it returns.
func (s *Spool) Import(ctx context.Context, items []spool.Item, c mail.Content) error {
	if err := spool.CheckImport(items, c); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	env := items[0].Envelope
	err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		chunks, err := s.importContent(ctx, tx, env.ID, c)
		if err != nil {
			return err
		}
		return s.importMessage(ctx, tx, items, chunks)
	})
	if code := code(err); code == codeUnique || errors.Is(err, errThere) {
		return fmt.Errorf("import %s: it is there already: %w", env.ID, spool.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", env.ID, err)
	}
	return nil
}

var errThere = errors.New("there already")

// importContent writes the chunks among those that outlived their slices.
func (s *Spool) importContent(ctx context.Context, tx pgx.Tx, id mail.ID, c mail.Content) (chunks int32, err error) {
	var there bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM message WHERE id = $1)", id[:]).Scan(&there); err != nil || there {
		return 0, errors.Join(err, errThere)
	}
	r, err := c.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	buf := make([]byte, chunkSize)
	for left := c.Size(); left > 0 || chunks == 0; chunks++ {
		n, err := io.ReadFull(r, buf[:min(left, chunkSize)])
		if err != nil {
			return 0, err
		}
		var b pgx.Batch
		queueChunks(&b, []chunk{{id, 0, chunks, buf[:n]}})
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return 0, err
		}
		left -= int64(n)
	}
	_, err = r.Read(buf) // its end says whether it is whole
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return chunks, err
}

func (s *Spool) importMessage(ctx context.Context, tx pgx.Tx, items []spool.Item, chunks int32) error {
	env := items[0].Envelope
	var b pgx.Batch
	b.Queue("INSERT INTO message (id, slice, size, chunks, recipients, open, envelope) VALUES ($1, 0, $2, $3, $4, $5, $6)",
		env.ID[:], env.Size, chunks, len(env.To), len(items), sealEnvelope(env))
	t := tally{messages: 1, bytes: env.Size}
	var r rows
	for i := range items {
		it := &items[i]
		r.add(&row{
			ref: it.Ref(), place: it.Place, due: spool.Nanos(it.Standing.Due), destination: it.Standing.Destination, suspect: it.Standing.Suspect,
		}, &it.Standing)
		t.places[it.Place]++
	}
	b.Queue(`INSERT INTO recipient (id, n, place, due, destination, epoch, altered, suspect, life, standing)
		SELECT id, n, place, due, destination, 0, false, suspect, $8, standing
		FROM unnest($1::bytea[], $2::int[], $3::smallint[], $4::bigint[], $5::bytea[], $6::bool[], $7::bytea[]) AS u (id, n, place, due, destination, suspect, standing)`,
		r.ids, r.ns, r.places, r.dues, r.destinations, r.suspects, r.standings, s.life)
	t.queue(&b)
	return tx.SendBatch(ctx, &b).Close()
}

// ImportFacts implements [spool.Importer].
func (s *Spool) ImportFacts(ctx context.Context, facts []spool.Fact) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if len(facts) == 0 {
		return nil
	}
	return s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var last int64
		// The lock of those who take places; this one lasts until the transaction ends.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext(current_schema()), 2)"); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT coalesce((SELECT seq + n - 1 FROM fact ORDER BY seq DESC LIMIT 1), 0)").Scan(&last); err != nil {
			return err
		}
		if err := spool.CheckPlaces(uint64(last), facts); err != nil {
			return err
		}
		return importFacts(ctx, tx, facts)
	})
}

func importFacts(ctx context.Context, tx pgx.Tx, facts []spool.Fact) error {
	n := len(facts)
	seqs, names, data, sizes := make([]int64, n), make([][]byte, n), make([][]byte, n), make([]int64, n)
	t := tally{facts: int64(n)}
	for i := range facts {
		one := note{facts[i].ID, facts[i : i+1]}
		seqs[i], names[i] = int64(facts[i].Seq), facts[i].ID[:]
		data[i], sizes[i] = one.record()
		t.factBytes += sizes[i]
	}
	var b pgx.Batch
	b.Queue(`INSERT INTO fact (seq, id, n, bytes, data) SELECT u.seq, u.id, 1, u.bytes, u.data
		FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bytea[]) AS u (seq, id, bytes, data)`, seqs, names, sizes, data)
	b.Queue("SELECT setval('place', greatest((SELECT last_value FROM place), $1))", seqs[n-1])
	t.queue(&b)
	return tx.SendBatch(ctx, &b).Close()
}

// Rooms implements [spool.Importer].
func (s *Spool) Rooms(ctx context.Context, after string, limit int) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	rows, err := s.pool.Query(ctx, `
		WITH RECURSIVE r (name) AS (
			(SELECT room FROM state WHERE room > $1 AND `+lasts+` ORDER BY room LIMIT 1)
			UNION ALL
			SELECT (SELECT s.room FROM state s WHERE s.room > r.name AND `+lasts+` ORDER BY s.room LIMIT 1) FROM r WHERE r.name IS NOT NULL)
		SELECT name FROM r WHERE name IS NOT NULL LIMIT $2`, []byte(after), spool.Limit(limit))
	if err != nil {
		return nil, told(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var name []byte
		err := row.Scan(&name)
		return string(name), err
	})
	return list, told(err)
}
