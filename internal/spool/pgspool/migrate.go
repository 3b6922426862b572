package pgspool

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
)

// version of the tables: the number of the last file in schema.
const version = 2

//go:embed schema/*.sql
var schemaFiles embed.FS

// migrations are the files by number, from 1 on.
func migrations() ([]string, error) {
	names, err := fs.Glob(schemaFiles, "schema/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(names))
	for i, name := range names {
		b, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(name, fmt.Sprintf("schema/%04d_", i+1)) {
			return nil, fmt.Errorf("migration %s is out of order", name)
		}
		texts[i] = string(b)
	}
	return texts, nil
}

// Migrate brings the tables in the database to the version of this program, and
// returns what version they had (0: there were none) and have. One process at a time
// does it; each step is done whole or not at all. A newer version is refused.
func Migrate(ctx context.Context, dsn string, o Options) (from, to int, err error) {
	o = o.withDefaults()
	c, err := config(dsn, &o)
	if err != nil {
		return 0, 0, fmt.Errorf("migrate the spool: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig)
	if err != nil {
		return 0, 0, fmt.Errorf("migrate the spool: %w", told(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	schema, _, _ := strings.Cut(c.ConnConfig.RuntimeParams["search_path"], ",")
	from, to, err = migrate(ctx, conn, strings.TrimSpace(schema))
	if err != nil {
		return from, to, fmt.Errorf("migrate the spool: %w", told(err))
	}
	return from, to, nil
}

func migrate(ctx context.Context, conn *pgx.Conn, schema string) (from, to int, err error) {
	const lock = 7301886017 // of migrations, in this database
	if _, err = conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lock); err != nil {
		return 0, 0, err
	}
	defer func() { _, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", lock) }()
	create := "CREATE SCHEMA IF NOT EXISTS " + pgx.Identifier{schema}.Sanitize() +
		"; CREATE TABLE IF NOT EXISTS migration (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"
	if _, err = conn.Exec(ctx, create); err != nil {
		return 0, 0, err
	}
	if from, err = readVersion(ctx, conn); err != nil {
		return 0, 0, err
	}
	if from > version {
		return from, from, newer(from)
	}
	texts, err := migrations()
	if err != nil {
		return from, from, err
	}
	for to = from; to < version; to++ {
		step := texts[to] + fmt.Sprintf("\n; INSERT INTO migration (version) VALUES (%d)", to+1)
		if _, err := conn.Exec(ctx, step); err != nil { // of the simple protocol: one transaction
			return from, to, fmt.Errorf("step %d: %w", to+1, err)
		}
	}
	return from, to, nil
}

type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readVersion is 0 if there are no tables.
func readVersion(ctx context.Context, q queryer) (int, error) {
	var v int
	err := q.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM migration").Scan(&v)
	if code(err) == codeNoTable {
		return 0, nil
	}
	return v, err
}

func newer(found int) error {
	return fmt.Errorf("its tables have version %d, and this program knows only up to %d: use a newer one", found, version)
}
