// Package sessions is the command "posthouse sessions": who speaks SMTP with a running
// house, in and out, and what is said.
package sessions

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

// options are the flags that all below the command have.
type options struct {
	house client.Flags
	json  bool
	now   func() time.Time
}

// Command returns "posthouse sessions".
func Command() *cobra.Command {
	o := &options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "See who speaks SMTP with a running posthouse, read along, cut",
		Long: `See who speaks SMTP with a running posthouse, in both directions, and what is said.

The last sessions that failed are kept with their lines, without anybody having
turned on debugging: up to 100 in each direction, as long as posthouse runs.
Secrets are masked where they are said, and of messages only the size is kept.`,
		Example: `  posthouse sessions list
  posthouse sessions follow 17
  posthouse sessions cut 17`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.house.Add(cmd)
	cmd.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON, an object a line")
	cmd.AddCommand(o.listCommand(), o.followCommand(), o.cutCommand())
	return cmd
}

// asking makes what a command does of what it asks the house.
func (o *options) asking(ask func(ctx context.Context, c *client.Client, args []string, out io.Writer) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := o.house.Client()
		if err != nil {
			return err
		}
		defer c.Close()
		return ask(cmd.Context(), c, args, cmd.OutOrStdout())
	}
}

func printJSON(out io.Writer, v any) error {
	if err := cli.PrintJSON(out, v); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}
