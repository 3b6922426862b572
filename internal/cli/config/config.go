// Package config is the command "posthouse config": it checks a configuration,
// shows what holds and where it comes from, and prints examples.
package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/config"
)

// Command returns "posthouse config".
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check a configuration, show what holds, print examples",
		Long: `Check a configuration, show what holds and where it comes from, print examples.

A configuration is one file in HCL; without FILE it is ` + cli.SystemConfig + `.
The smallest useful ones have five and six lines: see "posthouse config example".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(checkCommand(), showCommand(), exampleCommand())
	return cmd
}

func checkCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Tell all that is wrong with a configuration and the files that it names",
		Long: `Tell all that is wrong with a configuration and the files that it names: lists
of mailboxes, aliases, certificates, passwords. Nothing is changed.

It ends with status 0 if nothing is wrong, 78 if something is, 66 if there is no
such file. Environment variables are read where the file names them.`,
		Example: `  posthouse config check
  posthouse config check main.hcl --json`,
		Args: cli.AtMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := check(cmd.Context(), nameOf(args))
			if err != nil {
				return err
			}
			if asJSON {
				err = cli.PrintJSON(cmd.OutOrStdout(), r)
			} else {
				err = r.print(cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return ended(err, r.OK)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// ended is how a command ends that has told everything.
func ended(err error, ok bool) error {
	switch {
	case err != nil:
		return cli.Fail(cli.IOErr, "%w", err)
	case !ok:
		return cli.End(cli.Config)
	}
	return nil
}

func nameOf(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return cli.SystemConfig
}

func showCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print every setting that holds, and where it comes from",
		Long: `Print every setting that holds, as a file that says the same, with a comment
behind each that tells the line that it comes from, or that it is built in.`,
		Args: cli.AtMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := cli.ReadConfig(nameOf(args))
			var found config.Problems
			switch {
			case errors.As(err, &found):
				return ended(cli.TellProblems(cmd.ErrOrStderr(), nameOf(args), found), false)
			case err != nil:
				return err
			case asJSON:
				return ended(cli.PrintJSON(cmd.OutOrStdout(), settingsOf(c)), true)
			}
			return ended(c.Show(cmd.OutOrStdout()), true)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// settings is a configuration as JSON.
type settings struct {
	File     string    `json:"file"`
	Settings []setting `json:"settings"`
}

type setting struct {
	Blocks  []string `json:"blocks,omitempty"` // from the outside
	Setting string   `json:"setting"`
	Value   any      `json:"value"` // null: not set
	place            // none: built in
}

// place is where something stands.
type place struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

func settingsOf(c *config.Config) settings {
	s := settings{File: c.File}
	for _, e := range c.Entries() {
		s.Settings = append(s.Settings, setting{e.Blocks, e.Setting, e.Value, place(e.Origin)})
	}
	return s
}

func exampleCommand() *cobra.Command {
	var asJSON bool
	names := config.Examples()
	cmd := &cobra.Command{
		Use:   "example NAME",
		Short: "Print a whole configuration to begin with",
		Long: `Print a whole configuration to begin with. Without a name the names are listed;
"full" has every setting with its default and what it means.`,
		Example:   `  posthouse config example mx > posthouse.hcl`,
		Args:      cli.AtMostOne,
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return ended(list(cmd, asJSON), true)
			}
			text, ok := config.Example(args[0])
			switch {
			case !ok:
				return cli.Fail(cli.Usage, "there is no example %q (there are %s)", args[0], strings.Join(names, ", "))
			case asJSON:
				return ended(cli.PrintJSON(cmd.OutOrStdout(), map[string]string{"name": args[0], "text": text}), true)
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), text)
			return ended(err, true)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// list prints what examples there are.
func list(cmd *cobra.Command, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(cmd.OutOrStdout(), map[string][]string{"examples": config.Examples()})
	}
	for _, name := range config.Examples() {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-12s %s\n", name, config.ExampleTitle(name)); err != nil {
			return err
		}
	}
	return nil
}
