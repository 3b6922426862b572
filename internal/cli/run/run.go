// Package run is the command "posthouse run": the mail system of a configuration
// (house.go); or without one, a test inbox, which keeps whatever comes and shows it to
// browsers (inbox.go).
package run

import (
	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
)

// options are the flags of the command.
type options struct {
	config string
	data   string
	smtp   string
	http   string
	log    string
	json   bool
	// scenario is a file that says how the inbox misbehaves.
	scenario string
	// profile is a file for a profile of where the processor's time goes.
	profile string
}

// Command returns "posthouse run".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the mail system of a configuration, or an inbox for tests",
		Long: `Run the mail system of a configuration; or, without --config, an inbox for tests:
receive mail for everybody, keep it and show it.

With --config it takes mail in, queues it and delivers it as the configuration
says (see "posthouse config example"). SIGHUP puts the configuration in place
anew: all of it, or nothing if something is wrong; no session is cut. --data and
--smtp, if given, stand in place of what the configuration says.

Without --config every recipient and every login is accepted, and every message is a file in
the folder "inbox" of the data directory; nothing leaves this machine unless you release it. A
message is on stable storage, and in the inbox, before the client is told 250. A login, or the tag of an
address (jane+shop@example.org), has an inbox of its own, made when the first message comes.
STARTTLS is offered with a certificate that is made for the run; clients find it in
certificate.pem in the data directory.

Browsers see the mail at http://127.0.0.1:8025, and programs get it as JSON below /api/v1/
(http://127.0.0.1:8025/api/v1/openapi.json says how): they list, wait, search, release
and delete. If port 8025 is taken and --http was not given, a free one is used, and told.

--scenario FILE has the inbox misbehave, to try the program that sends:

  on "rcpt" {
    to    = "bob@*"
    tries = "1-2"
    reply = "450 4.2.0 Come back later"
  }

One line is logged on the standard error stream for each thing that happens to a
message, and for each reply that refuses something. SIGINT and SIGTERM end the program:
messages on their way in are finished first, if that takes no more than eight
seconds; a second signal ends it at once.`,
		Example: `  posthouse run
  posthouse run --config /etc/posthouse/posthouse.hcl
  posthouse run --scenario greylisting.hcl
  posthouse run --data inbox --smtp 127.0.0.1:0 --http none --json --log json`,
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
			h, err := o.house(cmd, log)
			if err != nil {
				return err
			}
			return h.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "`FILE` that says what mail is taken and where it goes")
	f.StringVar(&o.data, "data", cli.DefaultData, "`DIR` that holds what is received; made if it is missing")
	f.StringVar(&o.smtp, "smtp", cli.LocalServer, "`ADDR` to listen on, HOST:PORT (port 0: a free one)")
	f.StringVar(&o.http, "http", cli.LocalConsole, "`ADDR` for browsers and programs, on this machine only; none: no console")
	f.StringVar(&o.scenario, "scenario", "", "`FILE` that says how the inbox misbehaves")
	f.StringVar(&o.log, "log", logText, "`FORM` of the log: text, json or none (only what is wrong)")
	f.StringVar(&o.profile, "profile", "", "`FILE` for a profile of processor time (go tool pprof reads it)")
	f.BoolVar(&o.json, "json", false, "print where it listens as a JSON object")
	return cmd
}

// house is what runs a configuration, or the built-in one. Beside a configuration flags
// count only if they were given.
func (o *options) house(cmd *cobra.Command, log *log) (*house, error) {
	h := &house{
		file: o.config, data: o.data, smtp: o.smtp, http: o.http, httpGiven: cmd.Flags().Changed("http"), scenario: o.scenario,
		json: o.json, version: cmd.Root().Version, errs: cmd.ErrOrStderr(), log: log,
	}
	if o.config == "" {
		return h, nil
	}
	if h.httpGiven {
		return nil, cli.Fail(cli.Usage, "--http is for an inbox without a configuration (write console { address = [...] } in %s)", o.config)
	}
	if !cmd.Flags().Changed("data") {
		h.data = ""
	}
	if !cmd.Flags().Changed("smtp") {
		h.smtp = ""
	}
	return h, nil
}
