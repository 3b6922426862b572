// Command posthouse receives and sends mail. See "posthouse help".
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/cli/bench"
	"github.com/posthouse/posthouse/internal/cli/codes"
	"github.com/posthouse/posthouse/internal/cli/run"
	"github.com/posthouse/posthouse/internal/cli/send"
	"github.com/posthouse/posthouse/internal/cli/talk"
)

func main() { os.Exit(int(execute())) }

// execute carries out the command line. The first signal asks the command to end,
// the second one ends it.
func execute() cli.Status {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	started := false
	root := rootCommand()
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	cmd, err := root.ExecuteContextC(ctx)
	status, told := cli.StatusOf(err)
	if !told && !started {
		status = cli.Usage // cobra refused the command line
		err = fmt.Errorf("%w (%s --help tells more)", err, cmd.CommandPath())
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintf(os.Stderr, "%s: %s\n", cmd.CommandPath(), cli.Printable(err.Error()))
	}
	return status
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "posthouse",
		Short: "Receive and send mail over SMTP",
		Long: `Posthouse receives and sends mail over SMTP.

Try it in two terminals; no mail leaves this machine:

  posthouse run
  posthouse send --to you@example.org --subject hello --text "It works."`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		run.Command(),
		send.Command(),
		talk.Command(),
		bench.Command(),
		codes.Command(),
		versionCommand(),
	)
	return root
}
