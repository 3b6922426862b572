package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/admintest"
)

// TestNodesAreListedAndDrained: this one, and one that has not come back.
func TestNodesAreListedAndDrained(t *testing.T) {
	h := admintest.OpenNode(t, "mx1")
	if _, err := h.Spool.Join(t.Context(), "mx2", time.Nanosecond); err != nil {
		t.Fatal(err)
	}
	h.Play("cluster", Command)
}

// TestAHouseOfItsOwn has no nodes.
func TestAHouseOfItsOwn(t *testing.T) { admintest.Run(t, "alone", Command) }

// TestTheTable: columns are as wide as what stands in them.
func TestTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		got := table(&admin.Cluster{Shared: true, Node: "mx1", Nodes: []admin.ClusterNode{
			{Name: "mx1", State: admin.NodeWorking, Since: now, Beat: now.Add(-2 * time.Second), Leases: 12_345, Version: "posthouse 1.0"},
			{Name: "a-longer-name", State: admin.NodeAway, Drain: true, Since: now, Beat: now.Add(-2 * time.Hour), Version: "posthouse 1.0"},
			{Name: "evil\x1b[31m", State: admin.NodeDraining, Drain: true, Since: now, Beat: now, Leases: 1},
		}}, now)
		since := now.Local().Format(time.DateTime)
		want := "NODE           STATE          LEASES  BEAT    SINCE                VERSION\n" +
			"mx1 (this)     working        12,345  2s ago  " + since + "  posthouse 1.0\n" +
			"a-longer-name  away, drained  0       2h ago  " + since + "  posthouse 1.0\n" +
			"evil\\x1b[31m   draining       1       0s ago  " + since + "\n"
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}
