// Package domain is the command "posthouse domain": it makes the keys of a domain, prints
// the records that the DNS has to have, and checks whether it has them.
package domain

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/domainsetup"
	"github.com/posthouse/posthouse/senderauth/dmarc"
)

// options are the flags.
type options struct {
	config, data string
	addresses    []string
	dmarc        string
	reports      string
	table, json  bool
	servers      []string
	trusted      bool
	timeout      time.Duration
}

// Command returns "posthouse domain".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "domain",
		Short: "Set up a domain: its keys, its DNS records, and a check of them",
		Long: `Set up a domain: make the keys that sign its mail, print the records that the DNS
has to have, and check whether it has them, with the fix for what is wrong.

The keys are files below the data directory, in dkim/DOMAIN, and belong to you: no
command writes over one. The daemon reads them when it starts and at "posthouse
reload". What else is printed comes from the configuration: the name of the host,
its listeners and its certificate.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVarP(&o.config, "config", "C", "", "the daemon's configuration (default: "+cli.ConfigVariable+", then "+cli.SystemConfig+")")
	f.StringVar(&o.data, "data", "", "`DIR` of the daemon's data, in place of what the configuration says")
	f.StringSliceVar(&o.addresses, "address", nil, "`ADDRESS` by which others reach this host, and from which its mail comes; may come again; default: the public ones of this machine")
	f.StringVar(&o.dmarc, "dmarc", string(dmarc.None), "what is to be done about forged mail: none, quarantine or reject")
	f.StringVar(&o.reports, "reports", "", "`MAILBOX` for the reports of others; default: postmaster of the domain")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	cmd.AddCommand(o.add(), o.dns(), o.check())
	return cmd
}

func (o *options) add() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add DOMAIN",
		Short: "Make the keys of a domain, and print its records",
		Long: `Make the keys of a domain, one of RSA and one of Ed25519, and print the records that
its zone has to have, as a part of a zone file. A domain that has keys keeps them.

What was done, and what is to be done next, is told on the standard error stream.`,
		Example: `  posthouse domain add example.org > example.org.records
  posthouse domain add example.org --address 192.0.2.1 --address 2001:db8::1`,
		Args: cli.One("the domain"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := o.open(cmd, args[0])
			if err != nil {
				return err
			}
			made, err := h.makeKeys(time.Now())
			if err != nil {
				return err
			}
			if err := h.print(cmd.OutOrStdout(), made); err != nil {
				return err
			}
			h.advise(cmd.ErrOrStderr(), made)
			return nil
		},
	}
	o.tableFlag(cmd)
	return cmd
}

func (o *options) dns() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dns DOMAIN",
		Short: "Print the records that the DNS has to have",
		Long: `Print the records that the DNS has to have, as a part of a zone file, or as a table.
Those that belong into other zones, such as the names of addresses, stand at the end
as comments.`,
		Example: `  posthouse domain dns example.org
  posthouse domain dns example.org --table`,
		Args: cli.One("the domain"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := o.open(cmd, args[0])
			if err != nil {
				return err
			}
			return h.print(cmd.OutOrStdout(), nil)
		},
	}
	o.tableFlag(cmd)
	return cmd
}

func (o *options) tableFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.table, "table", false, "print a table in the place of a zone file")
}

func (o *options) check() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check DOMAIN",
		Short: "Ask the DNS whether it has the records, and say what is wrong",
		Long: `Ask the DNS whether it has the records of a domain: that its mail comes to us, that
ours passes SPF, DKIM and DMARC, that our addresses have our name, and that what is
published of TLS is what we show. For each thing that is wrong it says the fix.

It ends with

  0   everything that mail needs is there; there may be advice
  65  something is missing or wrong
  75  some did not answer: try again later`,
		Example: `  posthouse domain check example.org
  posthouse domain check example.org --dns 127.0.0.1 --json`,
		Args: cli.One("the domain"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := o.open(cmd, args[0])
			if err != nil {
				return err
			}
			w, err := o.world()
			if err != nil {
				return err
			}
			found := domainsetup.Check(cmd.Context(), w, &h.setup, time.Now())
			if err := o.tell(cmd.OutOrStdout(), args[0], found); err != nil {
				return err
			}
			return cli.End(statusOf(found))
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.servers, "dns", nil, "ask the resolver at `ADDRESS[:PORT]`; may come again; default: those of the system")
	f.BoolVar(&o.trusted, "trust-dns", false, "believe a resolver that is elsewhere when it says that an answer is signed")
	f.DurationVar(&o.timeout, "timeout", 5*time.Second, "longest `TIME` to wait for one answer")
	return cmd
}
