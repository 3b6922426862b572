// Package find is the command "posthouse find": which messages the journal of a running
// house tells of, by address, domain, and words of subject and reply.
package find

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/find"
)

type options struct {
	house client.Flags
	json  bool
	limit int
	all   bool
	after string
}

// usual is how many messages are listed if nothing else is asked for.
const usual = 50

// Command returns "posthouse find".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "find [WORD...]",
		Short: "Find messages, delivered or not, by address, subject, reply and more",
		Long: `Find messages that the journal tells of, the newest first, whether they are still in
the queue or not. "posthouse why" tells all of one.

` + find.Help + `

The journal forgets what is older than the configuration says (30 days by
default), and may be some seconds behind under load; then that is told. The
status is 66 if nothing was found.`,
		Example: `  posthouse find ann@sina.example
  posthouse find from:newsletter@example.org fate:deferred
  posthouse find to:example.com reply:greylisted --all --json
  posthouse find 'invo*' 4711`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			return o.run(cmd.Context(), c, strings.Join(args, " "), cmd.OutOrStdout())
		},
	}
	o.house.Add(cmd)
	f := cmd.Flags()
	f.IntVar(&o.limit, "limit", usual, "list at most `N` messages")
	f.BoolVar(&o.all, "all", false, "list all of them")
	f.StringVar(&o.after, "after", "", "go on behind `PLACE`, which a list that was not whole has named")
	f.BoolVar(&o.json, "json", false, "print JSON, an object a page")
	return cmd
}

// run prints page after page, each as soon as it is there.
func (o *options) run(ctx context.Context, c *client.Client, words string, out io.Writer) error {
	if o.limit < 1 {
		return cli.Fail(cli.Usage, "--limit %d lists nothing (--all lists all)", o.limit)
	}
	found := 0
	for {
		want := 0
		if !o.all {
			want = o.limit - found
		}
		page, err := c.Find(ctx, words, o.after, want)
		if err != nil {
			return err
		}
		found += len(page.Found)
		o.after = page.Next
		last := page.Next == "" || !o.all && found >= o.limit
		if err := o.print(out, &page, last); err != nil {
			return err
		}
		if last {
			return o.end(out, found, words, &page)
		}
	}
}

func (o *options) print(out io.Writer, page *admin.FoundPage, last bool) error {
	if o.json {
		if len(page.Found) == 0 && !last {
			return nil
		}
		if err := cli.PrintJSON(out, page); err != nil {
			return cli.Fail(cli.IOErr, "%w", err)
		}
		return nil
	}
	p := cli.NewPage(out)
	for i := range page.Found {
		message(p, &page.Found[i])
	}
	return p.Print(out)
}

// end tells what there is to say under a list.
func (o *options) end(out io.Writer, found int, words string, page *admin.FoundPage) error {
	if o.json {
		return statusOf(found)
	}
	p := cli.NewPage(out)
	switch {
	case found == 0 && words == "":
		p.Line("The journal tells of no message.")
	case found == 0:
		p.Line("The journal tells of no message with " + words + ".")
	case page.Next == "":
		p.Blank()
		p.Line(cli.Count(found, "message") + ".")
	default:
		p.Blank()
		p.Line(fmt.Sprintf("%s; there may be more: --all, --limit N, or --after %s", cli.Count(found, "message"), page.Next))
	}
	if behind := time.Duration(page.Behind) * time.Millisecond; behind >= noticeable {
		p.Line("The search is " + admin.Short(behind) + " behind the mail.")
	}
	if err := p.Print(out); err != nil {
		return err
	}
	return statusOf(found)
}

// noticeable is from when on it is told how far the search is behind.
const noticeable = 5 * time.Second

func statusOf(found int) error {
	if found == 0 {
		return cli.End(cli.NoInput)
	}
	return nil
}

func message(p *cli.Page, f *admin.Found) {
	subject := ""
	if f.Subject != "" {
		subject = `"` + f.Subject + `"`
	}
	p.Line(f.ID.String(), f.At.Local().Format(time.DateTime), sender(f), subject)
	p.Line("  to", recipients(f))
	state := fates(f)
	if f.Last != "" {
		state += ": " + f.Last
	}
	p.Line("    ", state)
}

func sender(f *admin.Found) string {
	switch {
	case f.From == nil:
		return "(its start is forgotten)"
	case f.From.IsNull():
		return "<>"
	}
	return f.From.String()
}

func recipients(f *admin.Found) string {
	var to []string
	for _, r := range f.To {
		to = append(to, r.String())
	}
	said := strings.Join(to, ", ")
	if f.More > 0 {
		said += " and " + cli.Count(f.More, "other")
	}
	return said
}

// fates are what became of its recipients: "relayed", "3 delivered, 1 deferred".
func fates(f *admin.Found) string {
	words := slices.Sorted(maps.Keys(f.Fates))
	switch len(words) {
	case 0:
		return "not tried yet"
	case 1:
		return words[0]
	}
	for i, w := range words {
		words[i] = cli.Number(f.Fates[w]) + " " + w
	}
	return strings.Join(words, ", ")
}
