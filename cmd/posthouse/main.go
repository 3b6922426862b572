// Command posthouse receives and sends mail. See "posthouse help".
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/cli/bench"
	"github.com/posthouse/posthouse/internal/cli/certificates"
	"github.com/posthouse/posthouse/internal/cli/cluster"
	"github.com/posthouse/posthouse/internal/cli/codes"
	"github.com/posthouse/posthouse/internal/cli/config"
	"github.com/posthouse/posthouse/internal/cli/dkim"
	"github.com/posthouse/posthouse/internal/cli/dmarc"
	"github.com/posthouse/posthouse/internal/cli/domain"
	"github.com/posthouse/posthouse/internal/cli/explain"
	"github.com/posthouse/posthouse/internal/cli/find"
	"github.com/posthouse/posthouse/internal/cli/health"
	"github.com/posthouse/posthouse/internal/cli/log"
	"github.com/posthouse/posthouse/internal/cli/man"
	"github.com/posthouse/posthouse/internal/cli/probe"
	"github.com/posthouse/posthouse/internal/cli/queue"
	"github.com/posthouse/posthouse/internal/cli/relay"
	"github.com/posthouse/posthouse/internal/cli/reload"
	"github.com/posthouse/posthouse/internal/cli/run"
	"github.com/posthouse/posthouse/internal/cli/send"
	"github.com/posthouse/posthouse/internal/cli/sendmail"
	"github.com/posthouse/posthouse/internal/cli/sessions"
	"github.com/posthouse/posthouse/internal/cli/spool"
	"github.com/posthouse/posthouse/internal/cli/talk"
	"github.com/posthouse/posthouse/internal/cli/tlsrpt"
	"github.com/posthouse/posthouse/internal/cli/top"
	"github.com/posthouse/posthouse/internal/cli/user"
	"github.com/posthouse/posthouse/internal/cli/verify"
	"github.com/posthouse/posthouse/internal/cli/why"
)

func main() { os.Exit(int(execute())) }

// execute carries out the command line. The first signal asks the command to end,
// the second one ends it.
func execute() cli.Status {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	started := false
	root := commandNamed(filepath.Base(os.Args[0]))
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	cmd, err := root.ExecuteContextC(ctx)
	status, told := cli.StatusOf(err)
	if !told && !started {
		status = cli.Usage // cobra refused the command line
		err = refused(cmd, err)
	}
	if err != nil && err.Error() != "" {
		text := strings.ReplaceAll(err.Error(), "\n", "; ") // of errors that are joined
		fmt.Fprintf(os.Stderr, "%s: %s\n", cmd.CommandPath(), cli.Printable(text))
	}
	return status
}

// refused says in one line why cobra does not take the command line.
func refused(cmd *cobra.Command, err error) error {
	text, meant, _ := strings.Cut(err.Error(), "\n\nDid you mean this?\n")
	help := cmd.CommandPath() + " --help tells more"
	if words := strings.Fields(meant); len(words) > 0 {
		help = "did you mean " + strings.Join(words, " or ") + "? " + help
	}
	return fmt.Errorf("%s (%s)", text, help)
}

// commandNamed is the program under the name by which it was called: it stands in
// for the programs of Unix that submit mail and look after the queue.
func commandNamed(name string) *cobra.Command {
	var cmd *cobra.Command
	switch name {
	case "sendmail":
		cmd = sendmail.Command(house{})
	case "mailq":
		cmd = sendmail.Mailq(house{})
	case "newaliases":
		cmd = sendmail.Newaliases(house{})
	default:
		return rootCommand()
	}
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "posthouse",
		Short: "Receive and send mail over SMTP",
		Long: `Posthouse receives and sends mail over SMTP.

Try it in two terminals; no mail leaves this machine:

  posthouse run
  posthouse send --to you@example.org --subject hello --text "It works."`,
		Version:       readVersion().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		run.Command(),
		send.Command(),
		talk.Command(),
		bench.Command(),
		queue.Command(),
		why.Command(),
		find.Command(),
		log.Command(),
		top.Command(),
		explain.Command(),
		sessions.Command(),
		probe.Command(),
		relay.Command(),
		cluster.Command(),
		health.Command(),
		domain.Command(),
		dkim.Command(),
		verify.Command(),
		tlsrpt.Command(),
		dmarc.Command(),
		spool.Command(),
		reload.Command(),
		certificates.Command(),
		config.Command(),
		user.Command(),
		codes.Command(),
		sendmail.Command(house{}),
		sendmail.Mailq(house{}),
		sendmail.Newaliases(house{}),
		man.Command(),
		versionCommand(),
	)
	return root
}
