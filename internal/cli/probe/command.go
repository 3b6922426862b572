// Package probe is the command "posthouse probe": where a domain takes its mail, how its
// hosts are secured, and what they say.
package probe

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/dns"
)

type options struct {
	servers []string
	trusted bool
	port    uint16
	timeout time.Duration
	hello   string
	ca      string
	json    bool
}

// Command returns "posthouse probe".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "probe DOMAIN",
		Short: "Look at where a domain takes its mail, and how its hosts are secured",
		Long: `Look at where a domain takes its mail, and how its hosts are secured: MX records,
addresses, DANE, MTA-STS, and of each address the greeting, TLS, the certificate,
what is offered, and how long each took. No mail is sent, and nobody is named.

DANE is judged only if the DNS answers are validated: by a resolver on this
machine, or one that --trust-dns believes. It ends with

  0   every address answers, and has the security that its domain asks for
  65  some have not: mail to them waits
  68  the domain does not exist, or takes no mail
  75  nobody can be reached, or the DNS does not answer: try again later`,
		Example: `  posthouse probe example.org
  posthouse probe example.org --dns 127.0.0.1 --json
  posthouse probe "[192.0.2.1]" --port 587`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.prober()
			if err != nil {
				return err
			}
			p.Progress = cmd.ErrOrStderr()
			found := p.Probe(cmd.Context(), args[0])
			if err := cli.Answer(cmd.OutOrStdout(), o.json, found, found.print); err != nil {
				return err
			}
			return cli.End(found.status())
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.servers, "dns", nil, "ask the resolver at `ADDRESS[:PORT]`; may come again; default: those of the system")
	f.BoolVar(&o.trusted, "trust-dns", false, "believe a resolver that is elsewhere when it says that an answer is signed")
	f.Uint16Var(&o.port, "port", 25, "`PORT` of the hosts")
	f.DurationVar(&o.timeout, "timeout", 20*time.Second, "longest `TIME` of each step: connecting, each reply, TLS")
	f.StringVar(&o.hello, "hello", "", "`NAME` for EHLO; default: the name of this host")
	f.StringVar(&o.ca, "ca", "", "`FILE` of trusted certificates; default: those of the system")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	return cmd
}

func (o *options) prober() (*Prober, error) {
	if o.timeout <= 0 {
		return nil, cli.Fail(cli.Usage, "--timeout %s is no time to wait", o.timeout)
	}
	if o.port == 0 {
		return nil, cli.Fail(cli.Usage, "nobody listens on port 0")
	}
	resolver, err := o.resolver()
	if err != nil {
		return nil, err
	}
	roots, err := cli.ReadCertificates(o.ca)
	if err != nil {
		return nil, err
	}
	name := o.hello
	if name == "" {
		name, _ = os.Hostname()
		if _, err := dns.ParseName(name); err != nil {
			name = "" // EHLO has our address then
		}
	}
	return &Prober{Resolver: resolver, Roots: roots, LocalName: name, Port: o.port, Timeout: o.timeout}, nil
}

func (o *options) resolver() (dns.Resolver, error) {
	c, err := cli.Resolver(o.servers)
	if err != nil {
		return nil, err
	}
	c.TrustAD = c.TrustAD || o.trusted
	c.Timeout = min(o.timeout, 5*time.Second)
	return c, nil
}
