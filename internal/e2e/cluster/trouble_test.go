package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/pgtest"
)

// The nodes that have trouble log in as a role that owns its database and nothing else.
const (
	role     = "postmaster"
	password = "word-canary"
)

// newOwned makes a database of that role.
func newOwned(t *testing.T, o pgtest.Options) *pgtest.Server {
	t.Helper()
	o.TCP, o.Password = true, "admin-canary"
	s := pgtest.Start(t, o)
	s.Exec(t, "postgres", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s' IN ROLE pg_monitor", role, password))
	s.Exec(t, "postgres", fmt.Sprintf("CREATE DATABASE %s OWNER %s", named, role))
	return s
}

// joins adds a node to the cluster, which logs in as that role.
func (c *cluster) joins(name, more string) *node {
	c.Helper()
	n := newNode(c.T, name, strings.Replace(c.address, "posthouse@", role+"@", 1), c.host.at, "password_file = \"db.password\"\n"+more)
	n.knows(c.T, password)
	c.nodes = append(c.nodes, n)
	return n
}

// knows gives the node a password.
func (n *node) knows(t *testing.T, word string) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(n.dir, "db.password"), []byte(word+"\n"), 0o600))
}

// refused waits until clients are told to come again, and until the log of a node says why.
func (c *cluster) refused(code int, why ...string) {
	c.Helper()
	before, from := c.ledger.refusals(code), make([]int, len(c.nodes))
	for i, n := range c.nodes {
		from[i] = len(n.said.String())
	}
	pgtest.Wait(c.T, fmt.Sprint("clients are told ", code), func() bool { return c.ledger.refusals(code) > before+10 })
	pgtest.Wait(c.T, fmt.Sprintf("a log says %q", why), func() bool {
		for i, n := range c.nodes {
			if holds(n.said.String()[from[i]:], why) {
				return true
			}
		}
		return false
	})
}

// holds reports whether one line of a text has all words.
func holds(text string, words []string) bool {
	for line := range strings.Lines(text) {
		n := 0
		for _, w := range words {
			if strings.Contains(line, w) {
				n++
			}
		}
		if n == len(words) {
			return true
		}
	}
	return false
}

// settles ends the load: all that was promised arrives, and no log has a password.
func (c *cluster) settles(l *load) {
	c.Helper()
	l.end()
	c.ledger.settle(c.T, strings.Replace(c.address, "posthouse@", "posthouse:admin-canary@", 1))
	for _, n := range c.nodes {
		if said := n.said.String(); strings.Contains(said, "canary") {
			c.Errorf("%s tells a password:\n%s", n.name, said)
		}
	}
}

// TestTroubles: what goes wrong with the database while nodes work. Each is said in the log,
// clients are told to come again, and afterwards mail is taken and sent as if nothing had been.
func TestTroubles(t *testing.T) {
	long(t)
	c := &cluster{T: t, ledger: newLedger(), primary: newOwned(t, pgtest.Options{Synchronous: true})}
	defer c.logs()
	c.host = newHost(t, c.ledger)
	c.standby = c.primary.Standby(t)
	c.primary.InStep(t)
	c.address = pgtest.Address(named, c.primary, c.standby)
	n := c.joins("mx1", "")
	n.knows(t, "other-canary")
	refuses(t, n, "run", 69, "see the password in the configuration")
	n.knows(t, password)
	n.says(t, "spool", "migrate")
	c.joins("mx2", "")
	for _, n := range c.nodes {
		n.run(t)
	}
	c.open(c.nodes...)
	l := c.load(6)
	l.until(t, 100)
	for _, step := range []struct {
		what string
		do   func(*cluster)
	}{
		{"the role loses a right", loseRight},
		{"the password is changed", changePassword},
		{"the standby is slow", slowStandby},
	} {
		began := time.Now()
		step.do(c)
		l.until(t, 100)
		promised, _ := c.ledger.count()
		t.Logf("%s: %v, %d letters promised so far", step.what, time.Since(began).Round(time.Millisecond), promised)
		if t.Failed() {
			return
		}
	}
	c.settles(l)
}

func loseRight(c *cluster) {
	c.primary.Exec(c.T, named, "REVOKE INSERT ON posthouse.message FROM "+role)
	c.refused(451, "permission denied for table message", "the role must own the schema")
	c.primary.Exec(c.T, named, "GRANT INSERT ON posthouse.message TO "+role)
}

func changePassword(c *cluster) {
	change := func(to string) {
		c.primary.Exec(c.T, named, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", role, to))
		c.primary.Exec(c.T, named, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+role+"'")
	}
	change("other-canary")
	c.refused(451, "password authentication failed", "see the password in the configuration")
	change(password)
}

func slowStandby(c *cluster) {
	c.standby.Freeze()
	c.refused(451, "no mail is taken in", "standby is connected, and commits wait for it longer")
	c.standby.Thaw()
}

// TestClocksApart: the clock of the database is 10 s ahead of those of the nodes. They say so; the leases of a
// node that dies are over when the database says it, and nothing is sent twice for it but what it had in hand.
func TestClocksApart(t *testing.T) {
	long(t)
	c := &cluster{T: t, ledger: newLedger(), primary: newOwned(t, pgtest.Options{Ahead: 10 * time.Second})}
	defer c.logs()
	c.host = newHost(t, c.ledger)
	c.address = pgtest.Address(named, c.primary)
	c.joins("mx1", "durability = \"primary\"\n").says(t, "spool", "migrate")
	c.joins("mx2", "durability = \"primary\"\n")
	for _, n := range c.nodes {
		n.run(t)
		if said := n.said.String(); !holds(said, []string{"the clock of this node differs", "run NTP", "ahead=-10"}) && !holds(said, []string{"the clock of this node differs", "run NTP", "ahead=-9"}) {
			t.Errorf("%s does not say that clocks differ:\n%s", n.name, said)
		}
	}
	c.open(c.nodes...)
	l := c.load(6)
	l.until(t, 100)
	c.slowly(2*time.Second, 10)
	c.nodes[1].kill()
	c.open(c.nodes[0])
	c.host.slow.Store(0)
	l.until(t, 100)
	c.away(c.nodes[0], "mx2")
	c.settles(l)
}

// TestFullDiskOfTheDatabase: while there is no room clients are told 452, before the data, and
// when there is room again mail is taken by itself.
func TestFullDiskOfTheDatabase(t *testing.T) {
	long(t)
	disk := smallDisk(t)
	c := &cluster{T: t, ledger: newLedger(), primary: newOwned(t, pgtest.Options{Below: disk.dir, Settings: []string{"max_wal_size = 64MB", "min_wal_size = 32MB"}})}
	defer c.logs()
	c.host = newHost(t, c.ledger)
	c.address = pgtest.Address(named, c.primary)
	n := c.joins("mx1", "durability = \"primary\"\n")
	n.says(t, "spool", "migrate")
	n.run(t)
	c.open(n)
	l := c.load(6)
	l.until(t, 100)

	disk.fill(t)
	c.refused(452, "No space left on device")
	c.arrives()
	disk.empty(t)
	l.until(t, 100)
	c.settles(l)
}
