// Package man is the command "posthouse man", by which packages make the manual pages of
// all commands. It is no part of what users are told.
package man

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/posthouse/posthouse/internal/cli"
)

// Command returns "posthouse man". (The date of the pages is that of SOURCE_DATE_EPOCH, if it
// is set.)
func Command() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages of all commands into a directory",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return cli.Fail(cli.CantCreate, "%w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // the pages are those of this program, whenever they are made
			head := doc.GenManHeader{Title: "POSTHOUSE", Section: "1", Source: "Posthouse", Manual: "Posthouse, the mail system"}
			if err := doc.GenManTree(root, &head, args[0]); err != nil {
				return cli.Fail(cli.CantCreate, "%w", err)
			}
			return nil
		},
	}
}
