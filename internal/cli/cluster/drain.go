package cluster

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

// askAgain is how often it is looked whether a node has drained.
const askAgain = 500 * time.Millisecond

func (o *options) drain(cmd *cobra.Command, node string) error {
	if o.undo && o.wait {
		return cli.Fail(cli.Usage, "--wait is for a node that is to have no mail, and --undo lets it have some")
	}
	c, err := o.house.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	n, err := c.Drain(cmd.Context(), node, !o.undo)
	if err == nil && o.wait {
		n, err = await(cmd.Context(), c, n)
	}
	if err != nil {
		return err
	}
	return cli.Answer(cmd.OutOrStdout(), o.json, n, cli.Words(told(&n)))
}

// await waits until a node has no mail on lease.
func await(ctx context.Context, c *client.Client, n admin.ClusterNode) (admin.ClusterNode, error) {
	for n.State == admin.NodeDraining || n.State == admin.NodeWorking {
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return n, ctx.Err()
		}
		all, err := c.Cluster(ctx)
		if err != nil {
			return n, err
		}
		for i := range all.Nodes {
			if all.Nodes[i].Name == n.Name {
				n = all.Nodes[i]
			}
		}
	}
	return n, nil
}

// told is what became of it, for people.
func told(n *admin.ClusterNode) string {
	name := cli.Printable(n.Name)
	switch {
	case !n.Drain && n.State == admin.NodeAway:
		return name + " is away; it works when it comes back.\n"
	case !n.Drain:
		return name + " works again.\n"
	case n.State == admin.NodeAway:
		return name + " is away; it will take no mail when it comes back.\n"
	case n.State == admin.NodeDrained:
		return name + " is drained: it has no mail, and takes none.\n"
	}
	return name + " drains: " + cli.Count(n.Leases, "recipient") + " to go, and no mail is taken (posthouse cluster status tells how far it is).\n"
}
