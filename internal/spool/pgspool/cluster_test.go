package pgspool_test

import (
	"context"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/pgtest"
	"github.com/posthouse/posthouse/internal/spool/pgspool"
)

// cluster is a primary and its synchronous standby, which sync, on loopback.
type cluster struct {
	primary, standby *pgtest.Server
	dsn              string // names both, as a configuration does
}

// newCluster starts both, with the spool's tables in a database "mail".
func newCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{primary: pgtest.Start(t, pgtest.Options{TCP: true, Synchronous: true, Settings: []string{"max_wal_size = 4GB"}})}
	c.primary.Exec(t, "postgres", "CREATE DATABASE mail")
	c.standby = c.primary.Standby(t)
	c.primary.InStep(t)
	c.dsn = pgtest.Address("mail", c.primary, c.standby) + "?sslmode=disable"
	_, _, err := pgspool.Migrate(context.Background(), c.dsn, pgspool.Options{})
	check(t, err)
	return c
}

// cpu is the CPU time of both servers with all their processes.
func (c *cluster) cpu() time.Duration { return c.primary.CPU() + c.standby.CPU() }
