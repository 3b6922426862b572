package pgspool

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/spool"
)

// Nodes implements [spool.Cluster].
func (s *Spool) Nodes(ctx context.Context) ([]spool.Node, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := s.lapse(ctx); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT name, epoch, since, beat, until, draining, program,
		(SELECT count(*) FROM recipient r WHERE r.epoch = node.epoch AND r.epoch <> 0) FROM node ORDER BY name`)
	if err != nil {
		return nil, told(err)
	}
	nodes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n spool.Node, err error) {
		var name []byte
		var epoch int64
		err = row.Scan(&name, &epoch, &n.Since, &n.Beat, &n.Until, &n.Draining, &n.Version, &n.Leases)
		n.Owner = spool.Owner{Name: string(name), Epoch: uint64(epoch)}
		return n, err
	})
	return nodes, told(err)
}

// Drain implements [spool.Cluster].
func (s *Spool) Drain(ctx context.Context, name string, on bool) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	var known bool
	err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE node SET draining = $2 WHERE name = $1", []byte(name), on)
		known = tag.RowsAffected() == 1
		return err
	})
	if err == nil && !known {
		err = spool.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("drain %q: %w", name, err)
	}
	s.tellAll()
	return nil
}

// Draining implements [spool.Cluster].
func (s *Spool) Draining(ctx context.Context, name string) (bool, error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.leave()
	var on bool
	err := s.pool.QueryRow(ctx, "SELECT draining FROM node WHERE name = $1", []byte(name)).Scan(&on)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return on, told(err)
}
