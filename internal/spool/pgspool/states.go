package pgspool

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/spool"
)

// States expire by the clock of the database, the same for all nodes.
const lasts = "(expires = 0 OR expires > now_nanos())"

// State implements [spool.Engine].
func (s *Spool) State(ctx context.Context, room, key string) (spool.State, error) {
	if err := s.enter(ctx); err != nil {
		return spool.State{}, err
	}
	defer s.leave()
	st := spool.State{Room: room, Key: key}
	var expires, version int64
	err := s.pool.QueryRow(ctx, "SELECT value, expires, version FROM state WHERE room = $1 AND key = $2 AND "+lasts, []byte(room), []byte(key)).
		Scan(&st.Value, &expires, &version)
	if errors.Is(err, pgx.ErrNoRows) {
		return spool.State{}, fmt.Errorf("state %q in %q: %w", key, room, spool.ErrNotFound)
	}
	st.Expires, st.Version = spool.Instant(expires), uint64(version)
	return st, told(err)
}

// PutState implements [spool.Engine].
func (s *Spool) PutState(ctx context.Context, st spool.State, was uint64) (uint64, error) {
	if err := st.Check(); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	var version int64
	err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		sql, args := put(&st, was)
		return tx.QueryRow(ctx, sql, args...).Scan(&version)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("state %q in %q: %w", st.Key, st.Room, spool.ErrConflict)
	}
	return uint64(version), err
}

// put is the statement that writes or removes a state if the one that stands is as it was.
func put(st *spool.State, was uint64) (string, []any) {
	args := []any{[]byte(st.Room), []byte(st.Key)}
	stands := "(SELECT version FROM state WHERE room = $1 AND key = $2 AND " + lasts + ")"
	switch {
	case st.Value == nil && was == 0:
		return "SELECT 0 WHERE NOT EXISTS " + stands, args
	case st.Value == nil:
		return "DELETE FROM state WHERE room = $1 AND key = $2 AND version = $3 AND " + lasts + " RETURNING 0", append(args, int64(was))
	case was == 0:
		return `INSERT INTO state AS old (room, key, value, expires, version) VALUES ($1, $2, $3, $4, nextval('version'))
			ON CONFLICT (room, key) DO UPDATE SET value = excluded.value, expires = excluded.expires, version = excluded.version
			WHERE NOT (old.expires = 0 OR old.expires > now_nanos()) RETURNING version`, append(args, st.Value, spool.Nanos(st.Expires))
	}
	return "UPDATE state SET value = $3, expires = $4, version = nextval('version') WHERE room = $1 AND key = $2 AND version = $5 AND " + lasts + " RETURNING version",
		append(args, st.Value, spool.Nanos(st.Expires), int64(was))
}

// States implements [spool.Engine].
func (s *Spool) States(ctx context.Context, room, after string, limit int) ([]spool.State, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	rows, err := s.pool.Query(ctx, "SELECT key, value, expires, version FROM state WHERE room = $1 AND key > $2 AND "+lasts+" ORDER BY room, key LIMIT $3",
		[]byte(room), []byte(after), spool.Limit(limit))
	if err != nil {
		return nil, told(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (spool.State, error) {
		st := spool.State{Room: room}
		var key []byte
		var expires, version int64
		err := row.Scan(&key, &st.Value, &expires, &version)
		st.Key, st.Expires, st.Version = string(key), spool.Instant(expires), uint64(version)
		return st, err
	})
	return list, told(err)
}

// forgetStates removes a bounded number of those that have expired.
func (s *Spool) forgetStates(ctx context.Context) error {
	return s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM state WHERE ctid = ANY (ARRAY (
			SELECT ctid FROM state WHERE expires <> 0 AND expires <= (SELECT now_nanos()) ORDER BY expires LIMIT 5000 FOR UPDATE SKIP LOCKED))`)
		return err
	})
}
