package pgspool

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/spool"
)

// tally is what a transaction changes in the counts.
type tally struct {
	messages, bytes  int64
	places           [5]int64 // recipients, by place
	facts, factBytes int64
}

// arrive counts a new message.
func (t *tally) arrive(a *arrival) {
	t.messages++
	t.bytes += a.env.Size
	t.places[a.place] += int64(len(a.env.To))
}

// queue adds the tally to a batch, if anything changes.
func (t *tally) queue(b *pgx.Batch) {
	if *t == (tally{}) {
		return
	}
	b.Queue("INSERT INTO tally VALUES ($1, $2, $3, $4, $5, $6, $7)",
		t.messages, t.bytes, t.places[spool.Fresh], t.places[spool.Waiting], t.places[spool.Held], t.facts, t.factBytes)
}

// foldTallies makes one row of all.
func (s *Spool) foldTallies(ctx context.Context) error {
	return s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `WITH gone AS (DELETE FROM tally RETURNING *)
			INSERT INTO tally SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0), coalesce(sum(fresh), 0),
				coalesce(sum(waiting), 0), coalesce(sum(held), 0), coalesce(sum(facts), 0), coalesce(sum(fact_bytes), 0) FROM gone`)
		return err
	})
}

// Stats implements [spool.Engine].
func (s *Spool) Stats(ctx context.Context) (spool.Stats, error) {
	st := spool.Stats{Free: -1, Refusing: s.pulse.err() != nil}
	if err := s.enter(ctx); err != nil {
		return spool.Stats{}, err
	}
	defer s.leave()
	if err := s.lapse(ctx); err != nil {
		return spool.Stats{}, err
	}
	err := s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT coalesce(sum(messages), 0)::bigint, coalesce(sum(bytes), 0)::bigint, coalesce(sum(fresh), 0)::bigint,
				coalesce(sum(waiting), 0)::bigint, coalesce(sum(held), 0)::bigint, coalesce(sum(facts), 0)::bigint, coalesce(sum(fact_bytes), 0)::bigint,
				(SELECT count(*) FROM recipient WHERE epoch <> 0), (SELECT count(*) FROM quarantine), (SELECT count(*) FROM state) FROM tally`).
			Scan(&st.Messages, &st.Bytes, &st.Fresh, &st.Waiting, &st.Held, &st.Facts, &st.FactBytes, &st.Leased, &st.Damaged, &st.States)
	})
	return st, told(err)
}

// Destinations implements [spool.Engine].
func (s *Spool) Destinations(ctx context.Context, after string, limit int) ([]spool.Destination, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := s.lapse(ctx); err != nil {
		return nil, err
	}
	var list []spool.Destination
	err := s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			WITH RECURSIVE d (name) AS (
				(SELECT destination FROM recipient WHERE place IN (2, 3) AND destination > $1 ORDER BY destination LIMIT 1)
				UNION ALL
				SELECT (SELECT r.destination FROM recipient r WHERE r.place IN (2, 3) AND r.destination > d.name ORDER BY r.destination LIMIT 1)
				FROM d WHERE d.name IS NOT NULL)
			SELECT d.name, (SELECT count(*) FROM recipient r WHERE r.place IN (2, 3) AND r.destination = d.name),
				coalesce((SELECT r.due FROM recipient r WHERE r.place = 2 AND r.epoch = 0 AND r.destination = d.name ORDER BY r.due LIMIT 1), 0)
			FROM (SELECT name FROM d WHERE name IS NOT NULL LIMIT $2) d ORDER BY d.name`, []byte(after), spool.Limit(limit))
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d spool.Destination, err error) {
			var name []byte
			var earliest int64
			err = row.Scan(&name, &d.Recipients, &earliest)
			d.Name, d.Earliest = string(name), spool.Instant(earliest)
			return d, err
		})
		return err
	})
	return list, told(err)
}
