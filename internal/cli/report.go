package cli

import (
	"io"
	"os"

	"github.com/spf13/cobra"
)

// ReportCommand makes of cmd one that reads a report which somebody has sent us: a file, or the
// standard input for "-". It prints the report by show, or with --json as one line of JSON.
// It ends with [NoInput] if there is no such file, and with [DataErr] if it is no report.
func ReportCommand[R any](cmd *cobra.Command, read func(io.Reader) (R, error), show func(R, io.Writer) error) *cobra.Command {
	var asJSON bool
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := readReport(cmd.InOrStdin(), args[0], read)
		if err != nil {
			return err
		}
		return Answer(cmd.OutOrStdout(), asJSON, r, func(out io.Writer) error { return show(r, out) })
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as one line of JSON")
	return cmd
}

func readReport[R any](in io.Reader, file string, read func(io.Reader) (R, error)) (r R, err error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return r, Fail(NoInput, "%w", err)
		}
		defer f.Close()
		in = f
	}
	if r, err = read(in); err != nil {
		return r, Fail(DataErr, "%s: %w", file, err)
	}
	return r, nil
}
