package pgspool

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/spool"
)

// Count implements [spool.Counter]. All of it goes by the instant at which the transaction began.
func (s *Spool) Count(ctx context.Context, room string, counted []spool.Counted, since time.Time) ([]spool.Count, time.Time, error) {
	if err := spool.CheckCounted(room, counted); err != nil {
		return nil, since, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, since, err
	}
	defer s.leave()
	var counts []spool.Count
	var now time.Time
	err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var b pgx.Batch
		b.Queue("SELECT set_config('synchronous_commit', 'off', true)")
		queueCounted(&b, room, counted)
		b.Queue("SELECT now()").QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
		b.Queue("SELECT key, greatest(until - began_nanos(), 0) FROM counted WHERE room = $1 AND touched > $2 ORDER BY touched DESC LIMIT $3",
			[]byte(room), since, spool.MaxCounts).Query(func(rows pgx.Rows) (err error) {
			counts, err = pgx.CollectRows(rows, scanCount)
			return err
		})
		return tx.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return nil, since, err
	}
	return counts, now.Add(-spool.Hindsight), nil
}

// queueCounted adds to the counts, in the order of their keys, so that no two nodes wait for each other.
func queueCounted(b *pgx.Batch, room string, counted []spool.Counted) {
	if len(counted) == 0 {
		return
	}
	counted = slices.Clone(counted)
	keys, by := make([][]byte, len(counted)), make([]int64, len(counted))
	slices.SortFunc(counted, func(a, b spool.Counted) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
	for i := range counted {
		keys[i], by[i] = []byte(counted[i].Key), int64(counted[i].By)
	}
	b.Queue(`INSERT INTO counted AS old (room, key, until, touched)
		SELECT $1, key, began_nanos() + by, now() FROM unnest($2::bytea[], $3::bigint[]) AS new (key, by)
		ON CONFLICT (room, key) DO UPDATE SET touched = excluded.touched, until = greatest(old.until, began_nanos()) + excluded.until - began_nanos()`,
		[]byte(room), keys, by)
}

func scanCount(row pgx.CollectableRow) (c spool.Count, err error) {
	var key []byte
	err = row.Scan(&key, &c.Left)
	c.Key = string(key)
	return c, err
}

// forgetCounts removes a bounded number of those that are paid back.
func (s *Spool) forgetCounts(ctx context.Context) error {
	return s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM counted WHERE ctid = ANY (ARRAY (
			SELECT ctid FROM counted WHERE until <= began_nanos() AND touched < now() - interval '1 minute' LIMIT 20000 FOR UPDATE SKIP LOCKED))`)
		return err
	})
}
