package queue

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

// quick is how many recipients are read for the statistics without being asked to.
const quick = 100_000

type counting struct {
	*options
	filter string
	limit  int
	all    bool
}

// stats is what the command prints.
type stats struct {
	Status *admin.Status `json:"status"`
	// Filter is what was counted; "" is the whole queue.
	Filter       string `json:"filter,omitempty"`
	Messages     int64  `json:"messages"`
	Recipients   int64  `json:"recipients"`
	Bytes        int64  `json:"bytes"`
	Partial      bool   `json:"partial,omitempty"` // the queue was not read to its end
	Destinations []line `json:"destinations"`      // those with most mail first
}

// line is one destination.
type line struct {
	admin.Group
	Earliest time.Time      `json:"earliest,omitzero"`
	Ways     []admin.Health `json:"ways,omitempty"`
}

func (o *options) statsCommand() *cobra.Command {
	s := counting{options: o}
	cmd := &cobra.Command{
		Use:   "stats [FILTER...]",
		Short: "Count the queue by destination, and tell how each of them is",
		Long: `Count the queue by destination, those with most mail first: how old it is, when it
is tried next, whether the destination is down, and what it said last.

Of a queue of more than ` + cli.Number(quick) + ` recipients the first ones are counted, the oldest,
unless --all is given.

` + admin.FilterHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := o.filter(args)
			if err != nil {
				return err
			}
			s.filter = admin.PrintFilter(f)
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			found, err := s.gather(cmd.Context(), c)
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd.OutOrStdout(), found)
			}
			return s.print(found, cmd.OutOrStdout())
		},
	}
	cmd.Flags().IntVar(&s.limit, "limit", 20, "tell of at most `N` destinations")
	cmd.Flags().BoolVar(&s.all, "all", false, "read a long queue to its end, and tell of all destinations")
	return cmd
}

// gather asks for all that is told.
func (s *counting) gather(ctx context.Context, c *client.Client) (*stats, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	most := int64(quick)
	if s.all {
		most = 0
	}
	t, err := count(ctx, c, s.filter, most)
	if err != nil {
		return nil, err
	}
	found := &stats{Status: &status, Filter: s.filter, Messages: t.Messages, Recipients: t.Recipients, Bytes: t.Bytes, Partial: t.Next != ""}
	known, err := s.known(ctx, c, len(t.Destinations))
	for _, g := range t.Destinations {
		l := line{Group: g}
		if d := known[g.Destination]; d != nil {
			l.Earliest, l.Ways = d.Earliest, d.Ways
			slices.SortFunc(l.Ways, func(a, b admin.Health) int { return cmp.Compare(b.InWindow, a.InWindow) })
		}
		found.Destinations = append(found.Destinations, l)
	}
	return found, err
}

// known asks about the destinations themselves. It stops when it has looked at many
// more than there are to tell of.
func (s *counting) known(ctx context.Context, c *client.Client, tell int) (map[string]*admin.Destination, error) {
	all := map[string]*admin.Destination{}
	for after := ""; len(all) <= tell+quick; {
		page, err := c.Destinations(ctx, after, 0)
		if err != nil {
			return nil, err
		}
		for i := range page.Destinations {
			all[page.Destinations[i].Name] = &page.Destinations[i]
		}
		if after = page.Next; after == "" {
			break
		}
	}
	return all, nil
}

func (s *counting) print(found *stats, out io.Writer) error {
	p := cli.NewPage(out)
	now := s.now()
	st := found.Status
	p.Text("", house(st, now))
	p.Blank()
	row := func(name string, n int64, rest string) {
		p.Line("  "+cli.Left(name, 12)+cli.Right(cli.Number(n), 11), " "+rest)
	}
	row("messages", st.Spool.Messages, cli.Octets(st.Spool.Bytes))
	row("fresh", st.Spool.Fresh, "recipients that were never tried")
	row("deferred", st.Spool.Deferred, "recipients that wait for their next attempt")
	row("held", st.Spool.Held, "recipients that an operator holds")
	row("active", int64(st.Window.Recipients), fmt.Sprintf("of them; %s under way, room for %s",
		cli.Count(st.Window.InFlight, "delivery"), cli.Number(st.Window.Room)))
	if st.Spool.Free >= 0 {
		p.Line("  disk        " + cli.Right(cli.Octets(st.Spool.Free), 11) + "  free")
	}
	if st.Spool.Damaged > 0 {
		row("quarantine", st.Spool.Damaged, "damaged messages: posthouse spool check")
	}
	p.Blank()
	if st.Spool.Refusing {
		p.Line("Less of the disk is free than spool { reserve } keeps: new mail is told 452")
		p.Line("until there is room, and deliveries go on.")
		p.Blank()
	}
	if at := st.Holding; at != nil {
		p.Text("", fmt.Sprintf("Nothing is sent while the configuration says hold = true (%s:%d).", at.File, at.Line))
		p.Blank()
	}
	s.destinations(p, found, now)
	return p.Print(out)
}

// house is who answers.
func house(st *admin.Status, now time.Time) string {
	said := fmt.Sprintf("%s, %s, pid %d", st.Hostname, st.Version, st.PID)
	if !st.Started.IsZero() {
		said += ", up for " + admin.Short(now.Sub(st.Started))
	}
	return said
}

func (s *counting) destinations(p *cli.Page, found *stats, now time.Time) {
	if s.filter != "" {
		p.Line(fmt.Sprintf("%s of %s, %s, fit %s", cli.Count(found.Recipients, "recipient"), cli.Count(found.Messages, "message"),
			cli.Octets(found.Bytes), s.filter))
		p.Blank()
	}
	if len(found.Destinations) == 0 {
		if s.filter == "" {
			p.Line("The queue is empty.")
		}
		return
	}
	shown := found.Destinations
	if !s.all {
		shown = shown[:min(len(shown), max(s.limit, 1))]
	}
	wide := len("DESTINATION")
	for i := range shown {
		wide = max(wide, min(cli.Cells(cli.Printable(shown[i].Destination)), 27))
	}
	p.Line(cli.Left("DESTINATION", wide), cli.Right("MAIL", 9), cli.Right("OLDEST", 7), cli.Right("NEXT", 7), " STATE")
	for i := range shown {
		d := &shown[i]
		figures := []string{
			cli.Left(cli.Clip(cli.Printable(d.Destination), wide), wide), cli.Right(cli.Number(d.Recipients), 9),
			cli.Right(admin.Short(now.Sub(d.Oldest)), 7), cli.Right(d.next(now), 7),
		}
		if whole := append(figures, " "+d.state(now)); p.Fits(whole...) {
			p.Line(whole...)
		} else {
			p.Line(figures...)
			p.Line("   ", d.state(now))
		}
		if reply := d.reply(); reply != "" {
			p.Line("   ", reply)
		}
	}
	s.rest(p, found, len(shown))
}

func (s *counting) rest(p *cli.Page, found *stats, shown int) {
	more := len(found.Destinations) - shown
	if more > 0 || found.Partial {
		p.Blank()
	}
	if more > 0 {
		p.Line("and " + cli.Count(more, "more destination") + ": --all, or --limit N")
	}
	if found.Partial {
		p.Line("The oldest " + cli.Count(found.Recipients, "recipient") + " were counted: --all counts all.")
	}
}

// next is when the destination is tried next.
func (d *line) next(now time.Time) string {
	switch {
	case d.Earliest.IsZero():
		return "-"
	case !d.Earliest.After(now):
		return "now"
	}
	return admin.Short(d.Earliest.Sub(now))
}

// state is how the destination is, in words.
func (d *line) state(now time.Time) string {
	for i := range d.Ways {
		w := &d.Ways[i]
		switch {
		case !w.Down.IsZero():
			return fmt.Sprintf("down for %s, probed %s", admin.Short(now.Sub(w.Down)), times(int64(w.Probes)))
		case w.InFlight > 0:
			return cli.Count(w.InFlight, "delivery") + " under way"
		}
	}
	switch {
	case d.Held == d.Recipients:
		return "held"
	case d.Held > 0:
		return cli.Number(d.Held) + " held"
	case d.Fresh == d.Recipients:
		return "not tried yet"
	}
	return "waiting"
}

// reply is what was said last.
func (d *line) reply() string {
	for i := range d.Ways {
		if d.Ways[i].Reply != "" {
			return d.Ways[i].Reply
		}
	}
	if d.Last == nil {
		return ""
	}
	return lastLine(d.Last)
}
