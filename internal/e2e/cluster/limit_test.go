package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/pgtest"
)

// TestALimitHoldsOverNodes: the next hop never sees more deliveries at a time than the
// limit, whichever nodes have mail, and though one dies with places that are its own.
func TestALimitHoldsOverNodes(t *testing.T) {
	long(t)
	c := newCluster(t, 3)
	defer c.logs()
	for _, n := range c.nodes {
		n.change(t, `tls = "never"`, "tls = \"never\"\n  limits { destination = 4 }")
		n.says(t, "reload")
	}
	c.slowly(50*time.Millisecond, 0)
	l := c.load(9)
	l.until(t, 300)
	told := c.nodes[0].says(t, "explain", "bob@sina.example", "--json")
	pgtest.Wait(t, "four deliveries have been under way", func() bool { return c.host.most.Load() >= 4 })
	gone := c.nodes[2]
	gone.kill()
	c.open(c.nodes[0], c.nodes[1])
	l.until(t, 100)
	l.end()
	c.away(c.nodes[0], "mx3")
	c.host.slow.Store(0)
	c.ledger.settle(t, c.address)
	if most := c.host.most.Load(); most != 4 {
		t.Errorf("%d deliveries at a time", most)
	}
	if !strings.Contains(told, "over all nodes 4 to this destination; this node has ") {
		t.Errorf("explain does not tell the share:\n%s", told)
	}
}

// change changes the configuration, as its operator would.
func (n *node) change(t *testing.T, what, into string) {
	t.Helper()
	name := filepath.Join(n.dir, n.conf)
	text, err := os.ReadFile(name)
	check(t, err)
	if !strings.Contains(string(text), what) {
		t.Fatalf("there is no %s in\n%s", what, text)
	}
	check(t, os.WriteFile(name, []byte(strings.Replace(string(text), what, into, 1)), 0o644))
}
