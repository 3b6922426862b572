package sessions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

func (o *options) followCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "follow N",
		Short: "Read a session along: what was said, and then what is said",
		Long: `Read a session along: all lines that are kept, and then each as it is said, until
the session ends or you interrupt. Sessions that have ended are told too, as long
as they are kept. "C:" is what the client says, "S:" the server, "-" a remark.`,
		Example: "  posthouse sessions follow 17",
		Args:    cli.One("the number of a session"),
		RunE:    o.asking(o.follow),
	}
}

func (o *options) follow(ctx context.Context, c *client.Client, args []string, out io.Writer) error {
	number, err := numberOf(args[0])
	if err != nil {
		return err
	}
	end, err := c.FollowSession(ctx, number, func(l *admin.TraceLine) error { return o.line(out, l) })
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case err != nil:
		return err
	case o.json:
		return printJSON(out, end)
	}
	p := printer{cli.NewPage(out), o.now()}
	p.page.Blank()
	p.session(&end)
	return p.page.Print(out)
}

// line prints one as it is said.
func (o *options) line(out io.Writer, l *admin.TraceLine) error {
	if o.json {
		return printJSON(out, l)
	}
	if _, err := fmt.Fprintln(out, Line(l)); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}

// Line is a line of a session with its time, as people read it.
func Line(l *admin.TraceLine) string {
	switch {
	case l.Missed > 0:
		return "              - " + cli.Count(int(l.Missed), "line") + " before this are not kept"
	case l.Octets > 0:
		return l.At.Local().Format(clock) + "  " + l.From + "  (" + cli.Octets(l.Octets) + " of text)"
	case l.From == "-":
		return l.At.Local().Format(clock) + "  -  " + cli.Printable(l.Text)
	}
	return l.At.Local().Format(clock) + "  " + l.From + ": " + cli.Printable(l.Text)
}

const clock = "15:04:05.000"

func numberOf(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, cli.Fail(cli.Usage, "%q is no number of a session (posthouse sessions list tells them)", s)
	}
	return n, nil
}
