package queue

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/mail"
)

// usual is how many recipients are listed if nothing else is asked for.
const usual = 50

type listing struct {
	*options
	filter string
	limit  int
	all    bool
	after  string
}

func (o *options) listCommand() *cobra.Command {
	l := listing{options: o}
	cmd := &cobra.Command{
		Use:   "list [FILTER...]",
		Short: "List mail that is not delivered yet, the oldest first",
		Long: `List mail that is not delivered yet, the oldest first: a line for each message,
and below it those who have not got it, with what the last attempt came to.

` + admin.FilterHelp,
		Example: `  posthouse queue list
  posthouse queue list --all state:held --json
  watch -n 5 posthouse queue list --limit 10 dest:example.com`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := o.filter(args)
			if err != nil {
				return err
			}
			l.filter = admin.PrintFilter(f)
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			return l.run(cmd.Context(), c, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.IntVar(&l.limit, "limit", usual, "list at most `N` recipients")
	f.BoolVar(&l.all, "all", false, "list all of them")
	f.StringVar(&l.after, "after", "", "go on behind `PLACE`, which a list that was not whole has named")
	return cmd
}

// run prints page after page, each as soon as it is there.
func (l *listing) run(ctx context.Context, c *client.Client, out io.Writer) error {
	if l.limit < 1 {
		return cli.Fail(cli.Usage, "--limit %d lists nothing (--all lists all)", l.limit)
	}
	p := printer{page: cli.NewPage(out), now: l.now()}
	for {
		want := 0
		if !l.all {
			want = l.limit - p.recipients
		}
		page, err := c.List(ctx, l.filter, l.after, want)
		if err != nil {
			return err
		}
		l.after = page.Next
		last := page.Next == "" || !l.all && p.recipients+len(page.Recipients) >= l.limit
		if err := l.print(&p, &page, last, out); err != nil || last {
			return err
		}
	}
}

func (l *listing) print(p *printer, page *admin.QueuePage, last bool, out io.Writer) error {
	p.recipients += len(page.Recipients)
	if l.json {
		if len(page.Recipients) == 0 && !last {
			return nil
		}
		return printJSON(out, page)
	}
	for i := range page.Recipients {
		p.recipient(&page.Recipients[i])
	}
	if last {
		p.foot(l, page.Next)
	}
	return p.page.Print(out)
}

func printJSON(out io.Writer, v any) error {
	if err := cli.PrintJSON(out, v); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}

// printer prints recipients, those of a message together.
type printer struct {
	page       *cli.Page
	now        time.Time
	of         mail.ID // message that was printed last
	messages   int
	recipients int
}

func (p *printer) recipient(r *admin.Recipient) {
	if r.ID != p.of {
		p.of = r.ID
		p.messages++
		p.message(r)
	}
	who := []string{"  " + cli.Left(stateOf(r), 9), cli.Left(addressOf(r), 36)}
	if whole := append(who, " "+p.when(r)); p.page.Fits(whole...) {
		p.page.Line(whole...)
	} else {
		p.page.Line(who...)
		p.page.Line("           ", p.when(r))
	}
	if r.Order != nil && r.Order.Via != nil {
		p.page.Line("           ", reroutedBy(r.Order))
	}
	if r.Last != nil {
		p.page.Line("           ", lastLine(r.Last))
	}
}

func (p *printer) message(r *admin.Recipient) {
	subject := ""
	if r.Subject != "" {
		subject = `"` + r.Subject + `"`
	}
	p.page.Line(r.ID.String(), cli.Right(admin.Short(p.now.Sub(r.Arrived)), 6), cli.Right(cli.Octets(r.Size), 8),
		" "+senderOf(r.From.String()), " "+subject)
}

// senderOf prints the null sender as it is written in SMTP.
func senderOf(s string) string {
	if s == "" {
		return "<>"
	}
	return s
}

// stateOf is the state of a recipient in a word.
func stateOf(r *admin.Recipient) string {
	if r.Active && r.State != "held" {
		return "active"
	}
	return r.State
}

func addressOf(r *admin.Recipient) string {
	if r.Original.IsNull() {
		return r.To.String()
	}
	return r.To.String() + " for " + r.Original.String()
}

// when tells what is next, and what was.
func (p *printer) when(r *admin.Recipient) string {
	var said []string
	switch {
	case r.State == "held":
		said = append(said, heldBy(r.Order))
	case r.Active && r.Node != "":
		said = append(said, "on "+r.Node)
	case r.Active:
	case r.State == "fresh":
		said = append(said, "not tried yet")
	case !r.Due.After(p.now):
		said = append(said, "due")
	default:
		said = append(said, "again in "+admin.Short(r.Due.Sub(p.now)))
	}
	if r.Attempts > 0 {
		said = append(said, "tried "+times(int64(r.Attempts)))
	}
	if r.Suspect {
		said = append(said, "may have been sent")
	}
	return strings.TrimPrefix(strings.Join(said, ", "), ", ")
}

func heldBy(o *admin.Ordered) string {
	if o == nil || o.By == "" {
		return "by an operator"
	}
	return "by " + o.By
}

// reroutedBy tells which way mail goes instead, and who wanted it.
func reroutedBy(o *admin.Ordered) string {
	way := o.Via.Destination
	switch {
	case way == "":
		way = "route " + o.Via.Route
	case o.Via.Route != "":
		way += " (route " + o.Via.Route + ")"
	}
	said := "rerouted to " + way
	if o.By != "" {
		said += " by " + o.By
	}
	if o.Reason != "" {
		said += ": " + o.Reason
	}
	return said
}

func times(n int64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

func lastLine(l *admin.Last) string {
	who := l.Host
	switch {
	case l.Local && l.Host == "":
		who = "here"
	case l.Addr != "" && who == "":
		who = l.Addr
	}
	if who == "" {
		return l.Reply
	}
	return who + ": " + l.Reply
}

// foot tells how much was printed, and how to see the rest.
func (p *printer) foot(l *listing, next string) {
	switch {
	case p.recipients == 0 && next == "" && l.filter == "":
		p.page.Line("The queue is empty.")
	case p.recipients == 0 && next == "":
		p.page.Line("Nothing in the queue fits " + l.filter + ".")
	case next == "":
		p.page.Blank()
		p.page.Line(cli.Count(p.recipients, "recipient") + " of " + cli.Count(p.messages, "message") + ".")
	default:
		p.page.Blank()
		p.page.Line(fmt.Sprintf("%s of %s; there may be more: --all, --limit N, or --after %s",
			cli.Count(p.recipients, "recipient"), cli.Count(p.messages, "message"), next))
	}
}
