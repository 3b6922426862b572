package sessions

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

func (o *options) cutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cut N...",
		Short: "Close the connections of sessions at once",
		Long: `Close the connections of sessions at once, whatever is under way on them. No mail is
lost: what was not accepted is tried again, by the client or by us. If the final
dot was said and not yet answered, a second copy of that message is possible.`,
		Example: "  posthouse sessions cut 17 18",
		Args:    cobra.MinimumNArgs(1),
		RunE:    o.asking(o.cut),
	}
}

func (o *options) cut(ctx context.Context, c *client.Client, args []string, out io.Writer) error {
	for _, arg := range args {
		number, err := numberOf(arg)
		if err != nil {
			return err
		}
		done, err := c.CutSession(ctx, number)
		if err != nil {
			return err
		}
		if err := o.tellCut(out, number, done.Cut); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) tellCut(out io.Writer, number uint64, cut bool) error {
	if o.json {
		return printJSON(out, map[string]any{"id": number, "cut": cut})
	}
	words := "Session %d is cut.\n"
	if !cut {
		words = "Session %d was over already.\n"
	}
	if _, err := fmt.Fprintf(out, words, number); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}
