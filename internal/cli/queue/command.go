// Package queue is the command "posthouse queue": it shows what is in the queue of
// a running house, and gives orders about it.
package queue

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/spool"
)

// options are the flags that all below the command have.
type options struct {
	house client.Flags
	json  bool
	now   func() time.Time
}

// Command returns "posthouse queue".
func Command() *cobra.Command {
	o := &options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "See the queue of a running posthouse, and steer it",
		Long: `See the queue of a running posthouse, and steer it.

The daemon is asked over its control socket; its files are never read.

` + admin.FilterHelp,
		Example: `  posthouse queue list
  posthouse queue list 'to:*@example.com' 'age:>2h'
  posthouse queue retry dest:example.com
  posthouse queue bounce from:newsletter@example.org --reason "sent by mistake"
  posthouse queue reroute dest:example.com --via relay.example.net:25`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.house.Add(cmd)
	cmd.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON, an object a line")
	cmd.AddCommand(o.listCommand(), o.showCommand(), o.statsCommand())
	for i := range orders {
		cmd.AddCommand(o.orderCommand(&orders[i]))
	}
	return cmd
}

// filter reads the words of a command line. An argument with spaces in it is one
// word, unless all of its words are words of a filter.
func (o *options) filter(args []string) (spool.Filter, error) {
	now := o.now()
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if _, err := admin.ParseFilter(arg, now); err != nil {
			words[i] = quoted(arg)
		}
	}
	f, err := admin.ParseFilter(strings.Join(words, " "), now)
	if err != nil {
		return f, cli.Fail(cli.Usage, "%w (posthouse queue --help tells all words)", err)
	}
	return f, nil
}

// quoted puts the value of a word with spaces into quotes, from which the shell has
// taken them.
func quoted(arg string) string {
	key, value, ok := strings.Cut(arg, ":")
	if !ok || !strings.ContainsAny(value, " \t") || strings.Contains(value, `"`) {
		return arg
	}
	return key + `:"` + strings.ReplaceAll(value, `\`, `\\`) + `"`
}
