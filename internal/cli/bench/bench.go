// Package bench is the command "posthouse bench": a load generator and a
// discarding server, to measure what a server or a client can do.
package bench

import "github.com/spf13/cobra"

// Command returns "posthouse bench".
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a server with a load, or a client with a server that discards",
		Long: `Measure a server with a load, or a client with a server that discards.

Numbers of one machine that plays both sides at once tell less than those of
two, since the sides take the processor from each other.`,
		Example: `  posthouse bench sink --count 20000
  posthouse bench source --messages 20000 --sessions 20`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sourceCommand(), sinkCommand())
	return cmd
}
