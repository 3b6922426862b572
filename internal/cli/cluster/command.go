// Package cluster is the command "posthouse cluster": the nodes that share a queue, and
// one of them made idle.
package cluster

import (
	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

type options struct {
	house client.Flags
	json  bool
	undo  bool
	wait  bool
}

// Command returns "posthouse cluster".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "See the nodes that share the queue, and drain one",
		Long: `See the nodes that share the queue of a spool in PostgreSQL (spool { postgres = "..." }),
and make one idle before its machine is worked on. Any node that runs can be asked.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.house.Add(cmd)
	cmd.AddCommand(o.statusCommand(), o.drainCommand())
	return cmd
}

func (o *options) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how it is with each node",
		Long: `Tell how it is with each node: "working", "draining" (it has mail yet), "drained" or
"away" (it does not beat: what it had is sent by the others). It ends with status 75 if one is away
that nobody has drained.`,
		Args: cli.NoArgs,
		RunE: o.status,
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	return cmd
}

func (o *options) drainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Have a node give its mail to the others, and take none",
		Long: `Have a node give its mail to the others, and take none: who connects is told 421, readyz says
503, what waits goes back at once, and deliveries that have begun come to their end. It stays so
until --undo, also when the node is started anew.`,
		Example: `  posthouse cluster drain mx2 --wait
  posthouse cluster drain mx2 --undo`,
		Args: cli.One("the name of a node"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.drain(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.undo, "undo", false, "let it work again")
	f.BoolVar(&o.wait, "wait", false, "end when it has no mail any more")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	return cmd
}
