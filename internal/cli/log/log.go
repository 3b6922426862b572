// Package log is the command "posthouse log": the journal of a running house, entry by
// entry.
package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

type options struct {
	house  client.Flags
	json   bool
	follow bool
	since  time.Duration
	after  string
	now    func() time.Time
}

// Command returns "posthouse log".
func Command() *cobra.Command {
	o := options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "log [ID]",
		Short: "Print the journal: what happened to mail, as it happens",
		Long: `Print the journal of a running posthouse: what was taken in, each attempt, reports and
orders, a line each; or of one message. It goes on while posthouse is started
again, and forgets what is older than the configuration says. What was refused
is in no journal, but in the log of the daemon.

With --follow it tells what happens from now on, until you interrupt; with --since
or --after too, what happened since then first. Each object of --json has its place
in "seq": --after takes it, and nothing is told twice or left out.`,
		Example: `  posthouse log -f
  posthouse log --since 1h
  posthouse log 06j2kz4k9rq0m3c5tz1g
  posthouse log -f --json --after 1795435149000000000`,
		Args: cli.AtMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			return o.run(cmd.Context(), c, args, cmd.OutOrStdout())
		},
	}
	o.house.Add(cmd)
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what happens")
	f.DurationVar(&o.since, "since", 0, "begin `TIME` ago, such as 30m or 12h")
	f.StringVar(&o.after, "after", "", "begin behind `PLACE`, the \"seq\" of an entry")
	f.BoolVar(&o.json, "json", false, "print JSON, an object an entry")
	return cmd
}

func (o *options) run(ctx context.Context, c *client.Client, args []string, out io.Writer) error {
	q := client.LogQuery{After: o.after, Follow: o.follow}
	if o.since > 0 {
		q.Since = o.now().Add(-o.since)
	}
	if len(args) > 0 {
		q.ID = args[0]
	}
	if o.follow && q == (client.LogQuery{Follow: true}) {
		q.After = "now"
	}
	err := c.Log(ctx, q, func(e *admin.LogEntry) error { return o.print(out, e) })
	if errors.Is(err, context.Canceled) {
		return nil // whoever follows ends it so
	}
	return err
}

func (o *options) print(out io.Writer, e *admin.LogEntry) error {
	var err error
	if o.json {
		err = cli.PrintJSON(out, e)
	} else {
		_, err = fmt.Fprintln(out, e.Event.At.Local().Format("2006-01-02 15:04:05.000"), cli.Printable(e.Line))
	}
	if err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}
