package pgspool_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/spool/pgspool"
)

// cluster is a primary and its synchronous standby, which sync, on loopback.
type cluster struct {
	primary, standby *server
	ports            [2]string
}

// newCluster starts both, with the spool's tables in a database "mail".
func newCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{primary: newServer(t), ports: [2]string{freePort(t), freePort(t)}}
	t.Cleanup(func() { os.RemoveAll(c.primary.dir) })
	hba := filepath.Join(c.primary.data(), "pg_hba.conf")
	check(t, os.WriteFile(hba, []byte("local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n"), 0o644))
	c.startPrimary(t)
	t.Cleanup(c.primary.stop)
	c.primary.exec(t, "postgres", "CREATE DATABASE mail")
	c.standby = &server{dir: c.primary.dir, name: "standby", bin: c.primary.bin, as: c.primary.as}
	c.primary.must(t, "pg_basebackup", "-D", c.standby.data(), "-h", c.primary.dir, "-p", c.ports[0], "-U", "posthouse", "-R", "-X", "stream", "--checkpoint=fast")
	c.startStandby(t)
	t.Cleanup(c.standby.stop)
	c.primary.exec(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (walreceiver)'")
	c.primary.exec(t, "postgres", "SELECT pg_reload_conf()")
	c.waitForStandby(t, true)
	_, _, err := pgspool.Migrate(context.Background(), c.dsn(), pgspool.Options{})
	check(t, err)
	return c
}

func (c *cluster) startPrimary(t testing.TB) {
	c.primary.port = c.ports[0]
	c.primary.start(t, "listen_addresses=127.0.0.1", "wal_level=replica", "max_wal_size=4GB")
}

func (c *cluster) startStandby(t testing.TB) {
	c.standby.port = c.ports[1]
	c.standby.start(t, "listen_addresses=127.0.0.1", "hot_standby=on", "cluster_name=walreceiver")
}

// dsn names both, as a configuration does: whichever is the primary is meant.
func (c *cluster) dsn() string {
	q := url.Values{"host": {"127.0.0.1,127.0.0.1"}, "port": {c.ports[0] + "," + c.ports[1]}, "target_session_attrs": {"read-write"}}
	return "postgres://posthouse@/mail?" + q.Encode()
}

// waitForStandby waits until the primary says that its standby is there and synchronous, or is not.
func (c *cluster) waitForStandby(t testing.TB, there bool) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), c.primary.dsn("postgres"))
	check(t, err)
	defer conn.Close(context.Background())
	wait(t, fmt.Sprint("the standby is there: ", there), func() bool {
		var n int
		check(t, conn.QueryRow(context.Background(), "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'").Scan(&n))
		return n > 0 == there
	})
}

// wait waits for a fact.
func wait(t testing.TB, what string, is func() bool) {
	t.Helper()
	for guard := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(guard) {
			t.Fatalf("never: %s", what)
		}
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	check(t, err)
	return port
}

// cpu is the CPU time of both servers with all their processes.
func (c *cluster) cpu(t testing.TB) (total time.Duration) {
	t.Helper()
	for _, s := range []*server{c.primary, c.standby} {
		all, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, name := range all {
			b, err := os.ReadFile(name)
			if err != nil {
				continue // it has ended
			}
			_, rest, _ := strings.Cut(string(b), ") ")
			f := strings.Fields(rest)
			if len(f) < 15 || f[1] != strconv.Itoa(s.cmd.Process.Pid) && filepath.Base(filepath.Dir(name)) != strconv.Itoa(s.cmd.Process.Pid) {
				continue
			}
			fields := []int{11, 12}
			if f[1] != strconv.Itoa(s.cmd.Process.Pid) {
				fields = []int{11, 12, 13, 14} // and of its children that have ended
			}
			for _, i := range fields {
				ticks, _ := strconv.Atoi(f[i])
				total += time.Duration(ticks) * 10 * time.Millisecond
			}
		}
	}
	return total
}
