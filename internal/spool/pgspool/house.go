package pgspool

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
)

const houseEvery = 5 * time.Second

// keepHouse frees what nodes had that are gone, makes and drops tables of contents, folds counts, and
// forgets what is old. Each node does it: what one has done, the others find done.
func (s *Spool) keepHouse() {
	for round := 0; ; round++ {
		s.pause(houseEvery)
		select {
		case <-s.working.Done():
			return
		default:
		}
		if err := s.tidy(round); err != nil && s.ctx.Err() == nil {
			s.opts.Log.Warn("keeping house", "because", err)
			s.pulse.look()
		}
	}
}

func (s *Spool) tidy(round int) error {
	errs := []error{s.lapse(s.ctx), s.makeSlices(s.ctx), s.foldTallies(s.ctx)}
	if round%6 == 0 {
		errs = append(errs, s.trimFacts(s.ctx), s.forgetStates(s.ctx), s.forgetShares(s.ctx), s.forgetCounts(s.ctx), s.dropSlices(s.ctx, sliceAt(time.Now().Add(-sliceGrace))), s.clock(s.ctx))
	}
	return errors.Join(errs...)
}

// clock compares the clock of the database with ours.
func (s *Spool) clock(ctx context.Context) error {
	var theirs time.Time
	began := time.Now()
	if err := s.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&theirs); err != nil {
		return told(err)
	}
	s.tellSkew(theirs, began)
	return nil
}

// dropSlices drops the tables of contents whose hour ended before the given one began. What is
// still there of them is moved before.
func (s *Spool) dropSlices(ctx context.Context, before int32) error {
	rows, err := s.pool.Query(ctx, "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE 'body\\_%' ORDER BY tablename")
	if err != nil {
		return told(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return told(err)
	}
	for _, name := range names {
		slice, err := strconv.ParseInt(strings.TrimPrefix(name, "body_"), 10, 32)
		if err != nil || int32(slice) >= before {
			continue
		}
		if err := s.dropSlice(ctx, int32(slice)); err != nil {
			return fmt.Errorf("drop %s: %w", name, err)
		}
	}
	return nil
}

// dropSlice moves what is still there of a slice, some messages at a time, and drops its table.
func (s *Spool) dropSlice(ctx context.Context, slice int32) error {
	const some = 200
	first, end := sliceStart(slice), sliceStart(slice+1)
	for last, moved := first, some; moved == some; {
		err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, `
				WITH old AS (SELECT id FROM message WHERE slice = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4 FOR NO KEY UPDATE),
				put AS (INSERT INTO body_rest SELECT b.* FROM `+table(slice)+` b WHERE b.id = ANY (ARRAY (SELECT id FROM old)) ON CONFLICT DO NOTHING),
				mark AS (UPDATE message SET slice = 0 WHERE id = ANY (ARRAY (SELECT id FROM old)))
				SELECT count(*), coalesce((SELECT id FROM old ORDER BY id DESC LIMIT 1), '') FROM old`, slice, last, end, some).Scan(&moved, &last)
		})
		if code(err) == codeNoTable { // another node was quicker
			return nil
		}
		if err != nil {
			return err
		}
	}
	return s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var b pgx.Batch
		b.Queue("SELECT set_config('lock_timeout', '1s', true)")
		// What was moved in the moment in which it was settled is left of the slices before.
		b.Queue("DELETE FROM body_rest b WHERE b.id > $1 AND b.id < $2 AND NOT EXISTS (SELECT FROM message m WHERE m.id = b.id)", sliceStart(slice-24), first)
		b.Queue("SELECT count(*) FROM (SELECT FROM message WHERE slice = $1 AND id > $2 AND id < $3 LIMIT 1) left_over", slice, first, end).QueryRow(func(row pgx.Row) error {
			var n int
			err := row.Scan(&n)
			if err == nil && n > 0 {
				err = errors.New("a message came into it late")
			}
			return err
		})
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+table(slice))
		return err
	})
}

// sliceStart is where the IDs of a slice begin.
func sliceStart(slice int32) []byte {
	id, _ := mail.NewID(time.Unix(int64(slice)*int64(sliceLength/time.Second), 0), zeros{}) // which does not fail
	return id[:]
}

// zeros is the least of all chance.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
