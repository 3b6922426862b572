package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// NoArgs is the Args of a command that is told everything by flags.
func NoArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q belongs to no flag", args[0])
	}
	return nil
}

// One is the Args of a command that is told one thing, such as "the ID of a message".
func One(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s is missing", what)
		}
		return AtMostOne(cmd, args)
	}
}

// AtMostOne is the Args of a command that may be told one thing.
func AtMostOne(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%q is too much: one is taken at a time", args[1])
	}
	return nil
}
