package pgspool

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// quarantine takes a damaged message out of every index, and leaves its records.
func (s *Spool) quarantine(id mail.ID, what string) error {
	err := s.write(s.ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "INSERT INTO quarantine SELECT id, now_nanos(), $2 FROM message WHERE id = $1 ON CONFLICT DO NOTHING", id[:], what)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		var b pgx.Batch
		b.Queue("SELECT count(*) FROM (SELECT FROM recipient WHERE id = $1 ORDER BY n FOR UPDATE) held", id[:])
		b.Queue(`INSERT INTO tally SELECT -1, -m.size, -(SELECT count(*) FROM recipient r WHERE r.id = m.id AND place = 1),
			-(SELECT count(*) FROM recipient r WHERE r.id = m.id AND place = 2), -(SELECT count(*) FROM recipient r WHERE r.id = m.id AND place = 3), 0, 0
			FROM message m WHERE m.id = $1`, id[:])
		b.Queue("UPDATE recipient SET place = 4 WHERE id = $1 AND place IN (1, 2, 3)", id[:])
		return tx.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return fmt.Errorf("quarantine %s: %w", id, err)
	}
	s.opts.Log.Error("a message is damaged and in quarantine", "id", id.String(), "what", what)
	return nil
}

// Damaged implements [spool.Engine].
func (s *Spool) Damaged(ctx context.Context, after mail.ID, limit int) ([]spool.Damage, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	rows, err := s.pool.Query(ctx, "SELECT id, at, what FROM quarantine WHERE id > $1 ORDER BY id LIMIT $2", after[:], spool.Limit(limit))
	if err != nil {
		return nil, told(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d spool.Damage, err error) {
		var id []byte
		var at int64
		err = row.Scan(&id, &at, &d.What)
		copy(d.ID[:], id)
		d.At = spool.Instant(at)
		return d, err
	})
	return list, told(err)
}
