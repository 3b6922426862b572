package spool

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/daemon"
)

func migrateCommand() *cobra.Command {
	var file string
	var json bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make the tables of a spool in PostgreSQL, or bring them up to date",
		Long: `Make the tables of a spool in PostgreSQL, or bring them to the version of this program.
Each step is done whole or not at all, by one process at a time. Nodes of the version before may go on
meanwhile only if the notes of the new version say so. Tables of a newer program are refused.`,
		Example: `  posthouse spool migrate --config /etc/posthouse/posthouse.hcl`,
		Args:    cli.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return migrate(cmd, file, json) },
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "configuration `FILE` that names the database")
	f.BoolVar(&json, "json", false, "print one JSON object")
	return cmd
}

// migrated is the answer in JSON.
type migrated struct {
	From int `json:"from"` // version of the tables before; 0: there were none
	To   int `json:"to"`
}

func migrate(cmd *cobra.Command, file string, json bool) error {
	where, err := cli.FindHouse(file, "")
	if err != nil {
		return err
	}
	if where.Config == "" {
		return cli.Fail(cli.NoInput, "no configuration says where the spool is (--config FILE or %s name one)", cli.ConfigVariable)
	}
	c, err := readConfig(where.Config)
	if err != nil {
		return err
	}
	if !c.Spool.Shared() {
		return cli.Fail(cli.Usage, `%s has no spool { postgres = "..." }: a spool on the disk of a machine needs no migration`, where.Config)
	}
	from, to, err := daemon.MigrateSpool(cmd.Context(), c, daemon.World{})
	if err != nil {
		return faultAt(where.Config, err)
	}
	return cli.Answer(cmd.OutOrStdout(), json, migrated{from, to}, cli.Words(migratedWords(from, to)))
}

func migratedWords(from, to int) string {
	switch from {
	case to:
		return fmt.Sprintf("The tables have version %d already: nothing was changed.\n", to)
	case 0:
		return fmt.Sprintf("The tables are made, in version %d.\n", to)
	}
	return fmt.Sprintf("The tables have version %d now; they had %d.\n", to, from)
}
