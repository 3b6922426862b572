package pgtest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// connect connects to a database. What it does waits for no standby.
func (s *Server) connect(t TB, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.ParseConfig(s.DSN(database))
	check(t, err)
	c.Password, c.RuntimeParams["synchronous_commit"] = s.o.Password, "local"
	conn, err := pgx.ConnectConfig(context.Background(), c)
	check(t, err)
	return conn
}

// Exec has a database do something: one statement or several.
func (s *Server) Exec(t TB, database, sql string) {
	t.Helper()
	conn := s.connect(t, database)
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Set changes a setting of a server that runs, such as "autovacuum" to "off", until Reset.
func (s *Server) Set(t TB, setting, value string) {
	t.Helper()
	s.Exec(t, "postgres", fmt.Sprintf("ALTER SYSTEM SET %s = '%s'", setting, value))
	s.Exec(t, "postgres", "SELECT pg_reload_conf()")
}

// Reset takes a change by Set back.
func (s *Server) Reset(t TB, setting string) {
	t.Helper()
	s.Exec(t, "postgres", "ALTER SYSTEM RESET "+setting)
	s.Exec(t, "postgres", "SELECT pg_reload_conf()")
}

// Count asks a database for a number.
func (s *Server) Count(t TB, database, sql string) (n int) {
	t.Helper()
	conn := s.connect(t, database)
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}
