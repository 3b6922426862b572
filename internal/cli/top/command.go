// Package top is the command "posthouse top": how it goes with a running house, and who
// speaks with it, on a terminal and renewed each second.
package top

import (
	"context"
	"errors"
	"io"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

type options struct {
	house client.Flags
	json  bool
	every time.Duration
}

// Command returns "posthouse top".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch how it goes: rates, queue, destinations, sessions",
		Long: `Watch how it goes with a running posthouse: what was taken in and delivered in the last
minutes, the queue, how long delivery takes, where most goes, and who speaks with
it now. The arrow keys scroll the sessions; q ends.

Where the output is no terminal, and with --json, it is told once.`,
		Example: `  posthouse top
  posthouse top --json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			return o.run(cmd.Context(), c, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	o.house.Add(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.DurationVar(&o.every, "every", time.Second, "look each `TIME`")
	return cmd
}

// seen is what the house tells at one time.
type seen struct {
	Overview admin.Overview    `json:"overview"`
	Sessions admin.SessionPage `json:"sessions"`
	Hostname string            `json:"hostname"`
}

func look(ctx context.Context, c *client.Client) (s seen, err error) {
	if s.Overview, err = c.Overview(ctx, minutes); err != nil {
		return s, err
	}
	if s.Sessions, err = c.Sessions(ctx); err != nil {
		return s, err
	}
	status, err := c.Status(ctx)
	s.Hostname = status.Hostname
	return s, err
}

func (o *options) run(ctx context.Context, c *client.Client, in io.Reader, out io.Writer) error {
	if o.every < 100*time.Millisecond {
		return cli.Fail(cli.Usage, "--every %v is too often: 100ms is the least", o.every)
	}
	first, err := look(ctx, c)
	switch {
	case err != nil:
		return err
	case o.json:
		if err := cli.PrintJSON(out, first); err != nil {
			return cli.Fail(cli.IOErr, "%w", err)
		}
		return nil
	}
	m := model{seen: first, every: o.every, look: func() (seen, error) { return look(ctx, c) }}
	if !cli.IsTerminal(out) {
		m.width, m.height = cli.Width(out), 1<<16
		_, err := io.WriteString(out, m.page())
		return err
	}
	_, err = tea.NewProgram(m, tea.WithContext(ctx), tea.WithAltScreen(), tea.WithInput(in), tea.WithOutput(out)).Run()
	if err != nil && !errors.Is(err, tea.ErrProgramKilled) {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}
