// Package certificates is the command "posthouse certificates": which certificates a
// running house shows, how long they are good, and what keeps newer ones away.
package certificates

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

type options struct {
	house client.Flags
	json  bool
}

// Command returns "posthouse certificates".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "certificates",
		Short: "Show the certificates of a running posthouse, and how long they are good",
		Long: `Show the certificates of a running posthouse: the names they are for, how long they
are good, whether they come from a file, from an authority (acme) or were made for the
run, and what keeps newer ones away.

The status is 75 if one is over, or if a newer one could not be got or used.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			status, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			return o.print(status.Certificates, cmd.OutOrStdout())
		},
	}
	o.house.Add(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print a list of JSON objects")
	return cmd
}

func (o *options) print(all []admin.Certificate, out io.Writer) error {
	now := time.Now()
	show := func(out io.Writer) error { return table(all, now, out) }
	if err := cli.Answer(out, o.json, all, show); err != nil {
		return err
	}
	for i := range all {
		if all[i].Trouble != "" || over(&all[i], now) {
			return cli.End(cli.TempFail)
		}
	}
	return nil
}

// over reports whether the time of a certificate is.
func over(c *admin.Certificate, now time.Time) bool { return !c.Until.IsZero() && !now.Before(c.Until) }

func table(all []admin.Certificate, now time.Time, out io.Writer) error {
	p := cli.NewPage(out)
	wide := len("NAME")
	for i := range all {
		wide = max(wide, min(cli.Cells(cli.Printable(all[i].Name)), 40))
	}
	p.Line(cli.Left("NAME", wide), " "+cli.Left("UNTIL", 10), cli.Right("LEFT", 7), " FROM")
	for i := range all {
		c := &all[i]
		p.Line(cli.Left(cli.Clip(cli.Printable(c.Name), wide), wide), " "+cli.Left(until(c), 10), cli.Right(left(c, now), 7), " "+from(c))
		if c.Trouble != "" {
			p.Text("  ", "No newer one: "+c.Trouble+again(c, now))
		}
	}
	return p.Print(out)
}

func until(c *admin.Certificate) string {
	if c.Until.IsZero() {
		return "-"
	}
	return c.Until.UTC().Format(time.DateOnly)
}

func left(c *admin.Certificate, now time.Time) string {
	switch {
	case c.Until.IsZero():
		return "-"
	case over(c, now):
		return "over"
	}
	return admin.Short(c.Until.Sub(now))
}

func from(c *admin.Certificate) string {
	switch {
	case c.From == "":
		return "made for the run: people's programs refuse it"
	case c.Until.IsZero():
		return cli.Printable(c.From) + "; until it comes, one that was made for the run"
	}
	return cli.Printable(c.From)
}

// again says when the next try is.
func again(c *admin.Certificate, now time.Time) string {
	if c.Next.IsZero() {
		return ""
	}
	return "; the next try is in " + admin.Short(max(0, c.Next.Sub(now)))
}
