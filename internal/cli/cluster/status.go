package cluster

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/cli"
)

func (o *options) status(cmd *cobra.Command, _ []string) error {
	c, err := o.house.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	all, err := c.Cluster(cmd.Context())
	if err != nil {
		return err
	}
	if err := cli.Answer(cmd.OutOrStdout(), o.json, all, cli.Words(table(&all, time.Now()))); err != nil {
		return err
	}
	if slices.ContainsFunc(all.Nodes, func(n admin.ClusterNode) bool { return n.State == admin.NodeAway && !n.Drain }) {
		return cli.End(cli.TempFail)
	}
	return nil
}

// table prints the nodes for people.
func table(c *admin.Cluster, now time.Time) string {
	if !c.Shared {
		return "Nobody shares the queue of this house: it is on the disk of this machine.\n"
	}
	rows := [][]string{{"NODE", "STATE", "LEASES", "BEAT", "SINCE", "VERSION"}}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		name := n.Name
		if name == c.Node {
			name += " (this)"
		}
		rows = append(rows, []string{
			cli.Printable(name), stateOf(n), cli.Number(n.Leases), ago(now.Sub(n.Beat)), n.Since.Local().Format(time.DateTime), cli.Printable(n.Version),
		})
	}
	return columns(rows)
}

// stateOf is the state of a node, with what will be when it comes back.
func stateOf(n *admin.ClusterNode) string {
	if n.State == admin.NodeAway && n.Drain {
		return "away, drained"
	}
	return n.State
}

func ago(d time.Duration) string {
	return admin.Short(max(d, 0).Truncate(time.Second)) + " ago"
}

// columns prints rows below each other, two spaces apart.
func columns(rows [][]string) string {
	wide := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			wide[i] = max(wide[i], cli.Cells(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cli.Left(cell, wide[i]) + "  ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
