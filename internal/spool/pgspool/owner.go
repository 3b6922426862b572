package pgspool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/posthouse/posthouse/internal/spool"
)

// Join implements [spool.Engine].
func (s *Spool) Join(ctx context.Context, name string, ttl time.Duration) (spool.Owner, error) {
	if len(name) > spool.MaxName {
		return spool.Owner{}, spool.ErrLimit
	}
	if err := s.enter(ctx); err != nil {
		return spool.Owner{}, err
	}
	defer s.leave()
	var owner spool.Owner
	freed := false
	err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		if freed, err = endNamed(ctx, tx, name); err != nil {
			return err
		}
		var epoch int64
		err = tx.QueryRow(ctx, `
			INSERT INTO node AS o (name, epoch, host, ttl, since, beat, until, program)
			SELECT $1, nextval('epoch'), $2, $3::interval, t, t, t + $3::interval, $4 FROM clock_timestamp() AS t
			ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, host = excluded.host, ttl = excluded.ttl, since = excluded.since,
				beat = excluded.beat, until = excluded.until, over = false, program = excluded.program
			RETURNING o.epoch`, []byte(name), []byte(s.opts.Node), ttl, s.opts.Version).Scan(&epoch)
		owner = spool.Owner{Name: name, Epoch: uint64(epoch)}
		return err
	})
	if err != nil {
		return spool.Owner{}, fmt.Errorf("join as %q: %w", name, err)
	}
	s.mu.Lock()
	for o := range s.owners {
		if o.Name == name {
			delete(s.owners, o)
		}
	}
	s.owners[owner] = true
	s.mu.Unlock()
	if freed {
		s.tell()
	}
	return owner, nil
}

// endNamed ends the epoch of that name, if there is one.
func endNamed(ctx context.Context, tx pgx.Tx, name string) (freed bool, err error) {
	var epoch int64
	err = tx.QueryRow(ctx, "SELECT epoch FROM node WHERE name = $1 AND NOT over FOR UPDATE", []byte(name)).Scan(&epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return endEpoch(ctx, tx, spool.Owner{Name: name, Epoch: uint64(epoch)}, true)
}

// endEpoch frees what an owner has on lease, suspect or not, and reports whether there was any.
// It waits for settlements and commits of the owner that are under way, and lets none begin.
func endEpoch(ctx context.Context, tx pgx.Tx, owner spool.Owner, suspect bool) (freed bool, err error) {
	var b pgx.Batch
	b.Queue("SELECT FROM node WHERE epoch = $1 FOR UPDATE", int64(owner.Epoch))
	b.Queue("DELETE FROM recipient WHERE epoch = $1 AND epoch <> 0 AND place = 0", int64(owner.Epoch))
	b.Queue("SELECT count(*) FROM (SELECT FROM recipient WHERE epoch = $1 AND epoch <> 0 ORDER BY id, n FOR UPDATE) held", int64(owner.Epoch))
	b.Queue("UPDATE recipient SET epoch = 0, altered = false, suspect = suspect OR $2 WHERE epoch = $1 AND epoch <> 0", int64(owner.Epoch), suspect).
		Exec(func(tag pgconn.CommandTag) error { freed = tag.RowsAffected() > 0; return nil })
	b.Queue("UPDATE node SET over = true, until = least(until, clock_timestamp()) WHERE epoch = $1", int64(owner.Epoch))
	return freed, tx.SendBatch(ctx, &b).Close()
}

// Beat implements [spool.Engine].
func (s *Spool) Beat(ctx context.Context, owner spool.Owner) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	ctx, cancel := s.limit(ctx)
	defer cancel()
	var b pgx.Batch
	lives := false
	b.Queue("SELECT set_config('synchronous_commit', 'off', true)") // nobody waits for it
	b.Queue(`UPDATE node SET beat = clock_timestamp(), until = clock_timestamp() + ttl
		WHERE epoch = $1 AND name = $2 AND NOT over AND until > clock_timestamp()`, int64(owner.Epoch), []byte(owner.Name)).
		Exec(func(tag pgconn.CommandTag) error { lives = tag.RowsAffected() == 1; return nil })
	if err := s.run(ctx, &b); err != nil {
		return fmt.Errorf("beat of %q: %w", owner.Name, told(err))
	}
	if !lives {
		return lost(owner)
	}
	return nil
}

func lost(owner spool.Owner) error {
	return fmt.Errorf("epoch %d of %q is over: %w", owner.Epoch, owner.Name, spool.ErrLeaseLost)
}

// holds locks the epoch of an owner until the transaction ends: whoever would end it waits.
// ErrLeaseLost if it is over, by the clock of the database.
func holds(ctx context.Context, tx pgx.Tx, owner spool.Owner) error {
	err := tx.QueryRow(ctx, "SELECT FROM node WHERE epoch = $1 AND name = $2 AND NOT over AND until > clock_timestamp() FOR KEY SHARE",
		int64(owner.Epoch), []byte(owner.Name)).Scan()
	if errors.Is(err, pgx.ErrNoRows) {
		return lost(owner)
	}
	return err
}

// lapse ends the epochs whose owners have stopped beating.
func (s *Spool) lapse(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, "SELECT name, epoch FROM node WHERE NOT over AND until <= clock_timestamp() ORDER BY name")
	if err != nil {
		return told(err)
	}
	late, err := pgx.CollectRows(rows, scanOwner)
	if err != nil {
		return told(err)
	}
	for _, owner := range late {
		if err := s.endLate(ctx, owner); err != nil {
			return err
		}
	}
	return nil
}

// endLate ends an epoch, unless its owner has beaten or joined anew meanwhile. One that has a
// transaction under way is left for later: nobody waits for a node that stands still.
func (s *Spool) endLate(ctx context.Context, owner spool.Owner) error {
	freed := false
	err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "SELECT FROM node WHERE epoch = $1 AND NOT over AND until <= clock_timestamp() FOR UPDATE SKIP LOCKED", int64(owner.Epoch)).Scan()
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil {
			freed, err = endEpoch(ctx, tx, owner, true)
		}
		return err
	})
	if err == nil && freed {
		s.opts.Log.Warn("a node has stopped beating: what it had on lease is free", "node", owner.Name, "epoch", owner.Epoch)
		s.tell()
	}
	return err
}

// Release implements [spool.Engine].
func (s *Spool) Release(ctx context.Context, owner spool.Owner, refs []spool.Ref) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	for part := range slices.Chunk(refs, 5000) {
		if err := s.release(ctx, owner, part); err != nil {
			return fmt.Errorf("release: %w", err)
		}
	}
	if len(refs) > 0 {
		s.tell()
	}
	return nil
}

func (s *Spool) release(ctx context.Context, owner spool.Owner, refs []spool.Ref) error {
	r := names(refs)
	return s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var b pgx.Batch
		b.Queue(lockNamed, r.ids, r.ns)
		const mine = "ctid = ANY (ARRAY (SELECT at FROM " + eachNamed + " WHERE found.epoch = $3"
		b.Queue("DELETE FROM recipient WHERE "+mine+" AND found.place = 0))", r.ids, r.ns, int64(owner.Epoch))
		b.Queue("UPDATE recipient SET epoch = 0, altered = false WHERE "+mine+"))", r.ids, r.ns, int64(owner.Epoch))
		return tx.SendBatch(ctx, &b).Close()
	})
}
