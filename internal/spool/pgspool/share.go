package pgspool

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/spool"
)

// Share implements [spool.Sharer]. The rows are locked by name, so that no two nodes wait for each
// other; nobody waits for a standby.
func (s *Spool) Share(ctx context.Context, owner spool.Owner, asks []spool.Ask) ([]spool.Grant, error) {
	if err := spool.CheckAsks(asks); err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	if len(asks) == 0 {
		return nil, nil
	}
	var grants []spool.Grant
	err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		view, err := look(ctx, tx, asks)
		if err != nil {
			return err
		}
		if !slices.Contains(view.alive, owner) {
			return lost(owner)
		}
		grants = view.grant(owner, asks)
		return view.write(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	return grants, nil
}

// shareView is what a transaction of Share sees, and has locked.
type shareView struct {
	now   time.Time
	alive []spool.Owner
	pools map[string]*spool.Pool
}

func look(ctx context.Context, tx pgx.Tx, asks []spool.Ask) (*shareView, error) {
	names := make([][]byte, len(asks))
	for i := range asks {
		names[i] = []byte(asks[i].Name)
	}
	slices.SortFunc(names, bytes.Compare)
	v := &shareView{pools: make(map[string]*spool.Pool, len(asks))}
	var b pgx.Batch
	b.Queue("SELECT set_config('synchronous_commit', 'off', true)")
	b.Queue(`INSERT INTO share (name, pool, touched) SELECT name, '', clock_timestamp() FROM unnest($1::bytea[]) AS name
		ON CONFLICT (name) DO UPDATE SET touched = excluded.touched RETURNING name, pool`, names).Query(v.readPools)
	b.Queue("SELECT name, epoch FROM node WHERE NOT over AND until > clock_timestamp() ORDER BY name").Query(func(rows pgx.Rows) (err error) {
		v.alive, err = pgx.CollectRows(rows, scanOwner)
		return err
	})
	b.Queue("SELECT clock_timestamp()").QueryRow(func(row pgx.Row) error { return row.Scan(&v.now) })
	return v, tx.SendBatch(ctx, &b).Close()
}

func (v *shareView) readPools(rows pgx.Rows) error {
	var name, text []byte
	_, err := pgx.ForEachRow(rows, []any{&name, &text}, func() error {
		p, err := spool.ParsePool(text)
		v.pools[string(name)] = &p
		return err
	})
	return err
}

func (v *shareView) grant(owner spool.Owner, asks []spool.Ask) []spool.Grant {
	grants := make([]spool.Grant, len(asks))
	for i := range asks {
		grants[i] = v.pools[asks[i].Name].Grant(owner, &asks[i], v.now, v.alive)
	}
	return grants
}

func (v *shareView) write(ctx context.Context, tx pgx.Tx) error {
	var idle, names, texts [][]byte
	for name, p := range v.pools {
		if p.Idle(v.now) {
			idle = append(idle, []byte(name))
			continue
		}
		names, texts = append(names, []byte(name)), append(texts, p.Append(nil))
	}
	var b pgx.Batch
	if len(idle) > 0 {
		b.Queue("DELETE FROM share WHERE name = ANY ($1)", idle)
	}
	if len(names) > 0 {
		b.Queue("UPDATE share SET pool = new.pool FROM unnest($1::bytea[], $2::bytea[]) AS new (name, pool) WHERE share.name = new.name", names, texts)
	}
	return tx.SendBatch(ctx, &b).Close()
}

// forgetShares removes what nobody has asked for in a time longer than any delivery: its owners are gone.
func (s *Spool) forgetShares(ctx context.Context) error {
	return s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM share WHERE ctid = ANY (ARRAY (
			SELECT ctid FROM share WHERE touched < clock_timestamp() - interval '1 day' LIMIT 5000 FOR UPDATE SKIP LOCKED))`)
		return err
	})
}
