// Package run is the command "posthouse run": the mail system of a configuration
// (house.go); or without one, what receives mail for whomever it is, keeps it in a
// Maildir and sends nothing on (keeper.go).
package run

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// options are the flags of the command.
type options struct {
	config string
	data   string
	smtp   string
	log    string
	json   bool
	// profile is a file for a profile of where the processor's time goes.
	profile string
}

// Command returns "posthouse run".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the mail system of a configuration, or keep all mail for a look",
		Long: `Run the mail system of a configuration; or, without --config, receive mail for
everybody and keep it.

With --config it takes mail in, queues it and delivers it as the configuration
says (see "posthouse config example"). SIGHUP puts the configuration in place
anew: all of it, or nothing if something is wrong; no session is cut. --data and
--smtp, if given, stand in place of what the configuration says.

Without --config every recipient is accepted and every message is a file in the Maildir under the
data directory; nothing ever leaves this machine. A message is on stable storage
before the client is told 250. STARTTLS is offered with a certificate that is
made for the run; clients find it in certificate.pem in the data directory.

One line is logged on the standard error stream for each thing that happens to a
message, and for each reply that refuses something. SIGINT and SIGTERM end the program:
messages on their way in are finished first, if that takes no more than eight
seconds; a second signal ends it at once.`,
		Example: `  posthouse run
  posthouse run --config /etc/posthouse/posthouse.hcl
  posthouse run --data inbox --smtp 127.0.0.1:0 --json --log json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLog(cmd.ErrOrStderr(), o.log)
			if err != nil {
				return err
			}
			stop, err := startProfile(o.profile)
			if err != nil {
				return err
			}
			defer stop()
			if o.config != "" {
				return o.house(cmd, log).run(cmd.Context(), cmd.OutOrStdout())
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), log.Logger)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "`FILE` that says what mail is taken and where it goes")
	f.StringVar(&o.data, "data", cli.DefaultData, "`DIR` that holds what is received; made if it is missing")
	f.StringVar(&o.smtp, "smtp", cli.LocalServer, "`ADDR` to listen on, HOST:PORT (port 0: a free one)")
	f.StringVar(&o.log, "log", logText, "`FORM` of the log: text, json or none (only what is wrong)")
	f.StringVar(&o.profile, "profile", "", "`FILE` for a profile of processor time (go tool pprof reads it)")
	f.BoolVar(&o.json, "json", false, "print where it listens as a JSON object")
	return cmd
}

// house is what runs a configuration. Flags count only if they were given.
func (o *options) house(cmd *cobra.Command, log *log) *house {
	h := &house{file: o.config, json: o.json, version: cmd.Root().Version, errs: cmd.ErrOrStderr(), log: log}
	if cmd.Flags().Changed("data") {
		h.data = o.data
	}
	if cmd.Flags().Changed("smtp") {
		h.smtp = o.smtp
	}
	return h
}

func (o *options) run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if o.data == "" {
		return cli.Fail(cli.Usage, "--data names no directory (give DIR)")
	}
	l, err := cli.Listen(ctx, o.smtp)
	if err != nil {
		return err
	}
	defer l.Close()
	data, err := openData(o.data)
	if err != nil {
		return err
	}
	defer data.close()
	certificate, err := daemon.SelfMade(time.Now(), hostname())
	if err != nil {
		return cli.Fail(cli.Software, "certificate: %w", err)
	}
	if err := data.writeCertificate(certificate); err != nil {
		return err
	}
	server := &smtpserver.Server{
		Handler:  &keeper{box: data.box, hostname: hostname(), log: log},
		Hostname: hostname(),
		TLS:      tlsConfig(certificate),
		Offer:    smtp.SetOf(smtp.ExtBinaryMIME, smtp.ExtSMTPUTF8),
		Log:      log,
		Trace:    logRefusals(log),
	}
	if err := o.greet(out, l.Addr()); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return cli.Serve(ctx, server, l)
}

// greet tells a newcomer what to do next. The first line names the address.
func (o *options) greet(out io.Writer, addr net.Addr) error {
	box := filepath.Join(o.data, maildirName)
	if o.json {
		return cli.PrintJSON(out, map[string]string{"smtp": addr.String(), "maildir": box})
	}
	to := ""
	if addr.String() != cli.LocalServer {
		to = " --server " + addr.String()
	}
	_, err := fmt.Fprintf(out, `Receiving mail on %s. It is kept in %s and goes nowhere else.
Send a first message from another terminal:

  posthouse send%s --to you@example.org --subject hello --text "It works."

Ctrl-C ends.
`, addr, box, to)
	if tcp, ok := addr.(*net.TCPAddr); err == nil && ok && !tcp.IP.IsLoopback() {
		_, err = fmt.Fprintf(out,
			"Whoever can reach %s can fill this disk: 127.0.0.1 keeps it to this machine.\n", addr)
	}
	return err
}
