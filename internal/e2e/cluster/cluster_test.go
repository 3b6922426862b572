package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/pgtest"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// cluster is three nodes that share a queue, and the mail that goes through them.
type cluster struct {
	*testing.T
	primary, standby *pgtest.Server
	address          string
	nodes            []*node
	ledger           *ledger
	host             *host
	doors            atomic.Pointer[[]string]
}

// guard is how long anything may take that is waited for: longer than on any machine.
const guard = 3 * time.Minute

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// long skips a test that takes minutes, unless all are wanted.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("POSTHOUSE_TEST_ALL") == "" {
		t.Skip("it takes minutes: POSTHOUSE_TEST_ALL=1 runs it")
	}
}

// named is the database of the nodes.
const named = "posthouse"

// newDatabase makes it, on a server whose commits wait for a standby, if that is wanted.
func newDatabase(t *testing.T, synchronous bool) *pgtest.Server {
	t.Helper()
	s := pgtest.Start(t, pgtest.Options{TCP: true, Synchronous: synchronous})
	s.Exec(t, "postgres", "CREATE DATABASE "+named)
	return s
}

func newCluster(t *testing.T, nodes int) *cluster {
	t.Helper()
	c := &cluster{T: t, primary: newDatabase(t, true), ledger: newLedger()}
	c.standby = c.primary.Standby(t)
	c.primary.InStep(t)
	c.host = newHost(t, c.ledger)
	c.address = pgtest.Address(named, c.primary, c.standby)
	for i := range nodes {
		n := newNode(t, fmt.Sprintf("mx%d", i+1), c.address, c.host.at, "")
		if i == 0 {
			if said := n.says(t, "spool", "migrate"); !strings.Contains(said, "The tables are made") {
				t.Errorf("migrate: %s", said)
			}
		}
		n.run(t)
		c.nodes = append(c.nodes, n)
	}
	c.open(c.nodes...)
	return c
}

// open says to which nodes clients may go.
func (c *cluster) open(nodes ...*node) {
	var at []string
	for _, n := range nodes {
		at = append(at, n.at)
	}
	c.doors.Store(&at)
}

func (c *cluster) load(n int) *load {
	return clients(c.T, c.ledger, n, func() []string { return *c.doors.Load() })
}

// arrives waits until all that was promised so far has arrived.
func (c *cluster) arrives() {
	c.Helper()
	pgtest.Wait(c.T, "all that was promised has arrived", func() bool {
		promised, arrived := c.ledger.count()
		return promised == arrived
	})
}

// status is what a node says of all; nothing, while it cannot say it.
func (c *cluster) status(n *node) map[string]admin.ClusterNode {
	c.Helper()
	out, err := n.command("cluster", "status", "--json").Output() // whose status tells that one is away
	var all admin.Cluster
	by := map[string]admin.ClusterNode{}
	if json.Unmarshal(out, &all) != nil {
		c.Logf("cluster status: %v", err)
	}
	for _, n := range all.Nodes {
		by[n.Name] = n
	}
	return by
}

func (c *cluster) logs() {
	if !c.Failed() {
		return
	}
	for _, n := range c.nodes {
		c.Logf("%s said:\n%s", n.name, tail(n.said.String()))
	}
}

// away waits until another node says that one does not beat, and has no mail. It returns its epoch.
func (c *cluster) away(asked *node, name string) (epoch uint64) {
	c.Helper()
	pgtest.Wait(c.T, name+" is away, and has no mail", func() bool {
		n := c.status(asked)[name]
		epoch = n.Epoch
		return n.State == admin.NodeAway && n.Leases == 0
	})
	return epoch
}

// TestNothingIsLost: what is killed comes in the order of a bad day.
func TestNothingIsLost(t *testing.T) {
	long(t)
	c := newCluster(t, 3)
	defer c.logs()
	l := c.load(12)
	l.until(t, 300)
	for _, step := range []struct {
		what string
		do   func(*cluster, *load)
	}{
		{"a node is killed in the middle of deliveries", killNode},
		{"a node is killed in the middle of DATA", killInData},
		{"a node stops past its lease, and comes back", pauseNode},
		{"the standby is killed", killStandby},
		{"a node is drained", drainNode},
		{"the primary is killed, and the standby promoted", killPrimary},
		{"each node ends in order, and starts anew", renewNodes},
	} {
		began := time.Now()
		step.do(c, l)
		promised, _ := c.ledger.count()
		t.Logf("%s: %v, %d letters promised so far", step.what, time.Since(began).Round(time.Millisecond), promised)
		if t.Failed() {
			return
		}
	}
	l.end()
	c.ledger.settle(t, c.address)
}

// slowly has the next hop be slow, and waits until some deliveries are under way there.
func (c *cluster) slowly(d time.Duration, n int) {
	for len(c.host.inside) > 0 {
		<-c.host.inside
	}
	c.host.slow.Store(int64(d))
	for range n {
		select {
		case <-c.host.inside:
		case <-time.After(guard):
			c.Fatal("nothing is sent")
		}
	}
}

// killNode: the others take its mail over within the time of a lease.
func killNode(c *cluster, l *load) {
	c.slowly(2*time.Second, 20)
	gone := c.nodes[2]
	gone.kill()
	c.open(c.nodes[0], c.nodes[1])
	c.host.slow.Store(0)
	l.until(c.T, 200)
	c.away(c.nodes[0], "mx3")
	gone.run(c.T)
	c.open(c.nodes...)
	l.until(c.T, 100)
}

// killInData: half a letter is no letter.
func killInData(c *cluster, l *load) {
	gone := c.nodes[1]
	d := smtpclient.Dialer{LocalName: "client.test", TLS: smtpclient.TLSNever}
	conn, err := d.Dial(c.Context(), "tcp", gone.at)
	check(c.T, err)
	half := &halfText{half: make(chan struct{}), over: make(chan struct{})}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		env := smtpclient.Envelope{From: path("ann@example.org"), To: []smtpclient.Recipient{{Path: path("bob@sina.example")}}}
		r, err := conn.Send(c.Context(), env, half)
		if err == nil && r.Accepted() {
			c.Error("half a letter was answered 250")
		}
	}()
	<-half.half
	gone.kill()
	close(half.over)
	<-sent
	_ = conn.Close() // it is cut already
	c.open(c.nodes[0], c.nodes[2])
	l.until(c.T, 100)
	gone.run(c.T)
	c.open(c.nodes...)
}

// pauseNode: while it sleeps the others send its mail; what it settles when it wakes is too late.
func pauseNode(c *cluster, l *load) {
	c.slowly(2*time.Second, 20)
	asleep := c.nodes[0]
	check(c.T, asleep.cmd.Process.Signal(syscall.SIGSTOP))
	c.open(c.nodes[1], c.nodes[2])
	c.host.slow.Store(0)
	before := c.away(c.nodes[1], "mx1")
	check(c.T, asleep.cmd.Process.Signal(syscall.SIGCONT))
	pgtest.Wait(c.T, "mx1 joins anew", func() bool {
		now := c.status(c.nodes[1])["mx1"]
		return now.State == admin.NodeWorking && now.Epoch > before
	})
	if said := asleep.said.String(); !strings.Contains(said, "leases are lost") {
		c.Errorf("mx1 does not say that its leases are lost:\n%s", tail(said))
	}
	c.open(c.nodes...)
	l.until(c.T, 100)
}

// killStandby: nothing is promised that one machine alone would hold.
func killStandby(c *cluster, l *load) {
	before := c.ledger.refusals(451)
	c.standby.Kill(c.T)
	pgtest.Wait(c.T, "clients are told 451", func() bool { return c.ledger.refusals(451) > before+20 })
	c.standby.Start(c.T)
	c.primary.InStep(c.T)
	l.until(c.T, 200)
}

// killPrimary: the standby has all that was promised; alone it takes nothing.
func killPrimary(c *cluster, l *load) {
	c.primary.Kill(c.T)
	c.standby.Promote(c.T)
	before := c.ledger.refusals(451)
	pgtest.Wait(c.T, "clients are told 451, since there is no standby", func() bool { return c.ledger.refusals(451) > before+20 })
	c.primary, c.standby = c.standby, c.standby.Standby(c.T)
	c.primary.InStep(c.T)
	l.until(c.T, 200)
	c.arrives()
}

// drainNode: it has no mail, takes none, and works again when it is told to.
func drainNode(c *cluster, l *load) {
	if said := c.nodes[0].says(c.T, "cluster", "drain", "mx2", "--wait"); !strings.Contains(said, "mx2 is drained") {
		c.Errorf("drain: %s", said)
	}
	d := smtpclient.Dialer{LocalName: "client.test", TLS: smtpclient.TLSNever}
	pgtest.Wait(c.T, "mx2 says 421", func() bool {
		conn, err := d.Dial(c.Context(), "tcp", c.nodes[1].at)
		if err == nil {
			_ = conn.Close() // it has not heard so far
		}
		return err != nil && strings.Contains(err.Error(), "421")
	})
	l.until(c.T, 100)
	pgtest.Wait(c.T, "mx2 is drained", func() bool { return c.status(c.nodes[0])["mx2"].State == admin.NodeDrained })
	c.nodes[0].says(c.T, "cluster", "drain", "mx2", "--undo")
	pgtest.Wait(c.T, "mx2 takes mail", func() bool {
		conn, err := d.Dial(c.Context(), "tcp", c.nodes[1].at)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// renewNodes: as for a new version of the program. The others take the mail meanwhile.
func renewNodes(c *cluster, l *load) {
	for i, n := range c.nodes {
		c.open(c.nodes[(i+1)%len(c.nodes)])
		n.end(c.T)
		n.run(c.T)
	}
	c.open(c.nodes...)
	l.until(c.T, 100)
}
