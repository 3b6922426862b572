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
	"github.com/posthouse/posthouse/internal/spool"
)

// orderWords are the words of one order.
type orderWords struct {
	verb  string
	short string
	long  string
	done  string // "3 recipients held"
	grave bool   // it cannot be taken back: it is asked for
}

var orders = []orderWords{
	{"hold", "Keep mail from being tried until it is released", `Keep mail from being tried until it is released. An attempt that is under way
goes on; what it does not deliver is held.`, "held", false},
	{"release", "Let held mail go, and try it at once", `Let held mail go, and try it at once. Mail that is not held is left alone.`, "released", false},
	{"retry", "Try mail at once, rather than when it is due", `Try mail at once, rather than when it is due. A destination that is down gets a
probe. Held mail stays held.`, "to be tried now", false},
	{"reroute", "Send mail by way of another host or route", `Send mail by way of another host, or by the route of a name, and try it at once.
Held mail stays held.`, "rerouted", false},
	{"drop", "Remove mail without a word to anybody", `Remove mail without a word to anybody. How much it is is shown and asked for
before; the journal keeps who did it.`, "dropped", true},
	{"bounce", "Return mail to its senders", `Return mail to its senders with a report that it could not be delivered. How
much it is is shown and asked for before. While the configuration says
queue { hold = true } nothing leaves the house, these reports neither: the order
stands, and is carried out when the hold ends.`, "to be returned", true},
}

type ordering struct {
	*options
	words  *orderWords
	filter spool.Filter
	all    bool
	yes    bool
	reason string
	via    string
}

func (o *options) orderCommand(w *orderWords) *cobra.Command {
	d := ordering{options: o, words: w}
	cmd := &cobra.Command{
		Use:   w.verb + " FILTER...",
		Short: w.short,
		Long: w.long + `

Mail that arrives after the command has begun is not meant. Each order is in the
journal of its message: posthouse why ID.

` + admin.FilterHelp,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if d.filter, err = o.filter(args); err != nil {
				return err
			}
			if err := d.complete(len(args) > 0); err != nil {
				return err
			}
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			return d.run(cmd.Context(), c, streams{cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&d.all, "all", false, "mean all of the queue")
	f.StringVar(&d.reason, "reason", "", "`TEXT` for the journal, and of a bounce for the sender")
	asks := "do not ask"
	if !w.grave {
		asks = "for scripts that say it to every order; this one never asks"
	}
	f.BoolVar(&d.yes, "yes", false, asks)
	if w.verb == "reroute" {
		f.StringVar(&d.via, "via", "", "`HOP`: HOST:PORT, or the name of a route")
	}
	return cmd
}

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// complete looks for what an order must say.
func (d *ordering) complete(filtered bool) error {
	switch {
	case !filtered && !d.all:
		return cli.Fail(cli.Usage, "which mail is meant? (give a filter such as an ID, or --all)")
	case filtered && d.all:
		return cli.Fail(cli.Usage, "--all and a filter exclude each other")
	case d.words.verb == "reroute" && d.via == "":
		return cli.Fail(cli.Usage, "where to? (--via HOST:PORT, or --via and the name of a route)")
	}
	if now := d.now(); d.filter.ArrivedBefore.IsZero() || now.Before(d.filter.ArrivedBefore) {
		d.filter.ArrivedBefore = now.Add(time.Nanosecond)
	}
	return nil
}

func (d *ordering) run(ctx context.Context, c *client.Client, s streams) error {
	filter := admin.PrintFilter(d.filter)
	if d.words.grave && !d.yes {
		meant, err := d.asked(ctx, c, filter, s)
		if err != nil || !meant {
			return err
		}
	}
	req := admin.OrderRequest{Verb: d.words.verb, Filter: filter, Reason: d.reason, Via: d.via}
	var sum admin.OrderResult
	for {
		done, err := c.Order(ctx, req)
		if err != nil {
			return d.halfWay(&sum, err)
		}
		sum.Chosen += done.Chosen
		sum.Changed += done.Changed
		if req.After = done.Next; done.Next == "" {
			return d.print(&sum, s.out)
		}
	}
}

// halfWay says how far an order came that did not come to its end.
func (d *ordering) halfWay(sum *admin.OrderResult, err error) error {
	if sum.Changed == 0 {
		return err
	}
	status, _ := cli.StatusOf(err)
	return cli.Fail(status, "%w; %s were %s before that", err, cli.Count(sum.Changed, "recipient"), d.words.done)
}

func (d *ordering) print(sum *admin.OrderResult, out io.Writer) error {
	if d.json {
		return printJSON(out, sum)
	}
	p := cli.NewPage(out)
	switch {
	case sum.Chosen == 0:
		p.Line("Nothing in the queue fits.")
	case sum.Changed == 0:
		p.Line("It changes nothing for", cli.Count(sum.Chosen, "recipient")+".")
	case sum.Changed == sum.Chosen:
		p.Line(cli.Count(sum.Changed, "recipient"), d.words.done+".")
	default:
		p.Line(cli.Count(sum.Changed, "recipient"), d.words.done+";",
			"for "+cli.Number(sum.Chosen-sum.Changed)+" more it changes nothing.")
	}
	return p.Print(out)
}

// asked shows how much mail is meant, and asks whether it is.
func (d *ordering) asked(ctx context.Context, c *client.Client, filter string, s streams) (bool, error) {
	if !cli.IsTerminal(s.in) || !cli.IsTerminal(s.err) {
		_, err := cli.Confirm(s.in, s.err, "", "--yes")
		return false, err
	}
	t, err := count(ctx, c, filter, 0)
	if err != nil {
		return false, err
	}
	p := cli.NewPage(s.err)
	if t.Recipients == 0 {
		p.Line("Nothing in the queue fits.")
		return false, p.Print(s.err)
	}
	meant(p, d.words.verb, &t)
	if err := p.Print(s.err); err != nil {
		return false, err
	}
	verb := strings.ToUpper(d.words.verb[:1]) + d.words.verb[1:]
	return cli.Confirm(s.in, s.err, verb+" "+cli.Count(t.Recipients, "recipient")+"?", "--yes")
}

// meant prints what an order is about.
func meant(p *cli.Page, verb string, t *admin.Tally) {
	p.Line(fmt.Sprintf("To %s: %s of %s, %s:", verb, cli.Count(t.Recipients, "recipient"), cli.Count(t.Messages, "message"), cli.Octets(t.Bytes)))
	const most = 8
	for i := range t.Destinations[:min(len(t.Destinations), most)] {
		p.Line("  "+cli.Right(cli.Number(t.Destinations[i].Recipients), 9), t.Destinations[i].Destination)
	}
	if more := len(t.Destinations) - most; more > 0 {
		p.Line("            and " + cli.Count(more, "more destination"))
	}
}

// count tallies what a filter chooses, and stops after so many recipients; 0: not.
func count(ctx context.Context, c *client.Client, filter string, most int64) (sum admin.Tally, err error) {
	for {
		part, err := c.Tally(ctx, filter, sum.Next)
		if err != nil {
			return sum, err
		}
		sum.Add(&part)
		if sum.Next == "" || most > 0 && sum.Recipients >= most {
			sum.Sort()
			return sum, nil
		}
	}
}
