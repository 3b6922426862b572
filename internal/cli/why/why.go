// Package why is the command "posthouse why": what became of a message, and why,
// as the journal of a running house has it.
package why

import (
	"context"
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
	now   func() time.Time
}

// Command returns "posthouse why".
func Command() *cobra.Command {
	o := options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "why ID",
		Short: "Tell what became of a message, attempt by attempt",
		Long: `Tell what became of a message: how it came, each attempt with host, TLS, reply and
time, reports, orders, and how it stands now.

The ID is the one that the reply to its sender, its Received field and the log
have. It may be shortened to its first letters: to eight or more if the message
has left the queue. The journal forgets what is older than the configuration
says (30 days by default); then the status is 66.`,
		Example: `  posthouse why 06j2kz4k9rq0m3c5tz1g
  posthouse why 06j2kz4k9r --json`,
		Args: cli.One("the ID of a message"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			return o.run(cmd.Context(), c, args[0], cmd.OutOrStdout())
		},
	}
	o.house.Add(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object a page of the journal, and then one of the message if it is in the queue")
	return cmd
}

// run tells the story page by page, and then how the message stands.
func (o *options) run(ctx context.Context, c *client.Client, id string, out io.Writer) error {
	t := teller{page: cli.NewPage(out)}
	for after := ""; ; {
		s, err := c.Story(ctx, id, after)
		if err != nil {
			return err
		}
		id, after = s.ID.String(), s.Next
		if o.json {
			err = cli.PrintJSON(out, s)
		} else {
			err = t.tell(&s, out)
		}
		if err != nil {
			return cli.Fail(cli.IOErr, "%w", err)
		}
		if after == "" {
			return o.present(ctx, c, id, &t, out)
		}
	}
}

// present tells how the message stands, if it is in the queue.
func (o *options) present(ctx context.Context, c *client.Client, id string, t *teller, out io.Writer) error {
	m, err := c.Message(ctx, id, "")
	gone := client.IsMissing(err)
	switch {
	case err != nil && !gone:
		return err
	case o.json && gone:
		return nil
	case o.json:
		return cli.PrintJSON(out, m)
	case gone:
		t.done()
	default:
		t.standing(&m, o.now())
	}
	return t.page.Print(out)
}

// listed is how many recipients are told of one by one.
const listed = 20

// standing tells of those who have not got it.
func (t *teller) standing(m *admin.Message, now time.Time) {
	t.page.Blank()
	for i := range m.Recipients[:min(len(m.Recipients), listed)] {
		r := &m.Recipients[i]
		t.page.Text("Now       ", r.To.String()+" "+state(r, now)+".")
	}
	if more := len(m.Recipients) - listed; more > 0 || m.Next != "" {
		t.page.Line("         ", "and more: posthouse queue show "+m.ID.String())
	}
}

func state(r *admin.Recipient, now time.Time) string {
	switch {
	case r.State == "held":
		return "is held by an operator"
	case r.Active:
		return "is on its way, or waits its turn"
	case r.State == "fresh":
		return "was not tried yet"
	case !r.Due.After(now):
		return "is due"
	}
	return "is tried again in " + admin.Short(r.Due.Sub(now))
}

func (t *teller) done() {
	t.page.Blank()
	t.page.Line("It is not in the queue any more.")
}
