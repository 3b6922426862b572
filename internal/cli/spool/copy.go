package spool

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/spool/transfer"
)

type copyOptions struct {
	keep bool
	json bool
}

// copied is the answer in JSON.
type copied struct {
	From       string `json:"from"`
	To         string `json:"to"`
	Messages   int64  `json:"messages"`
	Recipients int64  `json:"recipients"`
	Bytes      int64  `json:"bytes"`
	Facts      int64  `json:"facts"`
	States     int64  `json:"states"`
	Checksum   string `json:"checksum"` // SHA-256 over all of it, the same at both ends
	Damaged    int64  `json:"damaged"`  // messages in quarantine, left behind
}

func copyCommand() *cobra.Command {
	var o copyOptions
	cmd := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Move the queue, with its journal, to another spool",
		Long: `Move the queue to another spool while no posthouse runs: every message with what has
become of each of its recipients, the journal, and small states such as greylists.
FROM and TO are data directories, or configurations of which the spool is meant: that is how a queue
gets into PostgreSQL, and back. TO is empty, or not there yet; tables are made before with
"posthouse spool migrate".

When all is copied, both are read again and compared by count and checksum. From then on FROM is
marked as moved, and no posthouse starts on it: else the same mail would be sent twice. With
--keep it stays in use, and TO is a copy to look at.

A copy that was stopped is not used by any posthouse: the same command goes on from where it
was. What is in quarantine stays in FROM, and is told.`,
		Example: `  posthouse spool copy /var/lib/posthouse /srv/posthouse
  posthouse spool copy /var/lib/posthouse /etc/posthouse/shared.hcl`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.keep, "keep", false, "leave FROM in use")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	return cmd
}

func (o *copyOptions) run(cmd *cobra.Command, what, where string) (err error) {
	from, err := open(cmd.Context(), what, false)
	if err != nil {
		return err
	}
	to, err := open(cmd.Context(), where, true)
	if err != nil {
		return shut(err, from)
	}
	done, err := o.copy(cmd.Context(), from, to, cmd.ErrOrStderr())
	if err = shut(err, from, to); err != nil {
		return err
	}
	return o.print(done, where, cmd.OutOrStdout())
}

func (o *copyOptions) copy(ctx context.Context, from, to transfer.End, errs io.Writer) (*copied, error) {
	b := bar{out: errs, label: "copying"}
	defer b.done()
	sum, err := transfer.Copy(ctx, from, to, transfer.Options{Keep: o.keep, Progress: b.show})
	if err != nil {
		return nil, statusOf(err)
	}
	left, err := from.Engine.Stats(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &copied{
		From: from.Name, To: to.Name, Messages: sum.Messages, Recipients: sum.Recipients, Bytes: sum.Bytes,
		Facts: sum.Facts, States: sum.States, Checksum: fmt.Sprintf("%x", sum.Digest), Damaged: left.Damaged,
	}, nil
}

func (o *copyOptions) print(c *copied, where string, out io.Writer) error {
	if o.json {
		if err := cli.PrintJSON(out, c); err != nil {
			return cli.Fail(cli.IOErr, "%w", err)
		}
		return nil
	}
	p := cli.NewPage(out)
	p.Text("Copied ", fmt.Sprintf("%s (%s) for %s, %s of the journal and %s.",
		cli.Count(c.Messages, "message"), cli.Octets(c.Bytes), cli.Count(c.Recipients, "recipient"),
		cli.Count(c.Facts, "entry"), cli.Count(c.States, "state")))
	p.Line("Both were read again, and are the same.")
	if c.Damaged > 0 {
		p.Text("", fmt.Sprintf("%s in quarantine stayed behind (posthouse spool check tells which).", cli.Count(c.Damaged, "message")))
	}
	if o.keep {
		p.Line("The source stays in use: no posthouse is to send from the copy as well.")
	} else {
		p.Line("The queue is in " + where + " now; no posthouse starts on the source any more.")
	}
	return p.Print(out)
}

func releaseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "release WHERE",
		Short: "Take a spool back into use that was copied, or copied into",
		Long: `Take the mark off a spool which says that it was moved, or that a copy into it has not come
to its end. WHERE is a data directory or a configuration. Two houses must not send the same mail: the other end of that copy
is to be gone.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return release(cmd, args[0]) },
	}
}

func release(cmd *cobra.Command, what string) error {
	end, err := open(cmd.Context(), what, false)
	if err != nil {
		return err
	}
	had, err := transfer.Release(cmd.Context(), end.Engine)
	if err != nil {
		err = statusOf(err)
	}
	if err = shut(err, end); err != nil {
		return err
	}
	told := "It bore no mark: nothing was changed.\n"
	if had {
		told = "The mark is off: a posthouse may start on it.\n"
	}
	if _, err := io.WriteString(cmd.OutOrStdout(), told); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}
