package sessions

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

func (o *options) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the sessions that live, and the last ones that failed",
		Long: `List the sessions that live, the oldest first, and the last ones that failed, the
newest first: what was said last in each, how long ago, and why it failed.`,
		Args: cli.NoArgs,
		RunE: o.asking(o.list),
	}
}

func (o *options) list(ctx context.Context, c *client.Client, _ []string, out io.Writer) error {
	page, err := c.Sessions(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, page)
	}
	p := printer{cli.NewPage(out), o.now()}
	if len(page.Live) == 0 {
		p.page.Line("Nobody speaks with this posthouse now.")
	}
	for i := range page.Live {
		p.session(&page.Live[i])
	}
	if len(page.Failed) > 0 {
		p.page.Blank()
		p.page.Line("Failed:")
	}
	for i := range page.Failed {
		p.session(&page.Failed[i])
	}
	return p.page.Print(out)
}

// printer prints sessions for people.
type printer struct {
	page *cli.Page
	now  time.Time
}

func (p *printer) session(s *admin.Session) {
	age := admin.Short(p.now.Sub(s.Started))
	p.page.Line(cli.Right(strconv.FormatUint(s.ID, 10), 6), cli.Left(s.Direction, 3), cli.Left(s.State, 8), cli.Right(age, 6), " "+Peer(s))
	p.page.Line("                          ", "", strings.Join(facts(s), ", "))
	switch {
	case s.Failure != "":
		p.page.Text("                           ", s.Failure)
	case s.Last != "":
		p.page.Text("                           ", s.LastFrom+": "+s.Last+"  ("+admin.Short(p.now.Sub(s.Since))+" ago)")
	}
}

// Peer names who is at both ends of a session: "mx from client.example
// [192.0.2.7:4711]", "mx.sina.example [192.0.2.1:25]".
func Peer(s *admin.Session) string {
	var words []string
	if s.Direction == "in" {
		words = append(words, s.Name, "from")
		if s.Hello == "" && s.Peer == "" {
			words = append(words, "this machine")
		}
	} else {
		words = append(words, s.Name)
	}
	if s.Hello != "" {
		words = append(words, s.Hello)
	}
	if s.Peer != "" {
		words = append(words, "["+s.Peer+"]")
	}
	return strings.Join(words, " ")
}

func facts(s *admin.Session) []string {
	said := []string{cli.Count(s.Messages, "message"), cli.Octets(s.BytesIn) + " in", cli.Octets(s.BytesOut) + " out"}
	if s.TLS == "" {
		return append(said, "without TLS")
	}
	return append(said, s.TLS)
}
