// Package reload is the command "posthouse reload": a running house reads its
// configuration again.
package reload

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

type options struct {
	house client.Flags
	json  bool
}

// Command returns "posthouse reload".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a running posthouse read its configuration again",
		Long: `Have a running posthouse read its configuration again, and the files that it
names. All of it is put in place, or nothing: if something is wrong it is told
with its line, the configuration before stays in force, and the status is 78.
No session and no delivery is cut.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			done, err := c.Reload(cmd.Context())
			if err != nil {
				return err
			}
			return o.print(&done, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.house.Add(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	return cmd
}

func (o *options) print(done *admin.Reloaded, out, errs io.Writer) error {
	var err error
	switch {
	case o.json:
		err = cli.PrintJSON(out, done)
	case done.OK:
		_, err = io.WriteString(out, "The configuration is in force as it is now.\n")
	default:
		err = problems(done, errs)
	}
	if err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	if !done.OK {
		return cli.End(cli.Config)
	}
	return nil
}

// problems prints what is wrong, each with the line that it is in.
func problems(done *admin.Reloaded, errs io.Writer) error {
	text := ""
	for _, p := range done.Problems {
		line := p.Message
		if at := p.Place.String(); at != "" {
			line = at + ": " + line
		}
		if p.Hint != "" {
			line += " (" + p.Hint + ")"
		}
		text += cli.Printable(line) + "\n" + p.Excerpt
	}
	_, err := io.WriteString(errs, text+cli.Count(len(done.Problems), "problem")+"; the configuration before stays in force\n")
	return err
}
