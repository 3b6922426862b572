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
