// Package verify is the command "posthouse verify": it judges a message that is stored, as
// the house judges mail that comes in, and explains each step.
package verify

import (
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// options are the flags.
type options struct {
	ip, helo, from string
	sealers        []string
	servers        []string
	trusted        bool
	timeout        time.Duration
	json           bool
}

// Command returns "posthouse verify".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Judge a stored message: SPF, DKIM, DMARC and ARC, step by step",
		Long: `Judge a message that is stored, as posthouse judges mail that comes in: who may send
for the domain (SPF), who signed it (DKIM), what forwarders say that they saw (ARC), and
whether any of them speaks for its author (DMARC). Each step tells what was asked of the
DNS and what that said. "-" is the standard input.

SPF needs to know who brought the message: --ip, and --helo and --from as that client
said them. Without --from the Return-Path of the message counts, if it has one.

It ends with

  0   posthouse would take the message
  65  it would be refused, or be junk
  75  the DNS does not answer: try again later`,
		Example: `  posthouse verify letter.eml
  posthouse verify letter.eml --ip 192.0.2.1 --helo mx.example.org --from jane@example.org
  posthouse verify - --dns 127.0.0.1 --json < letter.eml`,
		Args: cli.One("the file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			content, err := open(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			text, err := policy.ReadText(content)
			if err != nil {
				return cli.Fail(cli.DataErr, "%s: %w", args[0], err)
			}
			j, err := o.judge(text)
			if err != nil {
				return err
			}
			found := j.run(cmd.Context(), text)
			if err := cli.Answer(cmd.OutOrStdout(), o.json, found, found.print); err != nil {
				return err
			}
			return cli.End(found.status())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.ip, "ip", "", "`ADDRESS` of the client that brought it")
	f.StringVar(&o.helo, "helo", "", "what that client called itself")
	f.StringVar(&o.from, "from", "", "`MAILBOX` that it named as the sender; <> for none; default: the Return-Path")
	f.StringSliceVar(&o.sealers, "trust-sealer", nil, "`DOMAIN` whose word on a forwarded message counts (ARC); may come again")
	f.StringSliceVar(&o.servers, "dns", nil, "ask the resolver at `ADDRESS[:PORT]`; may come again; default: those of the system")
	f.BoolVar(&o.trusted, "trust-dns", false, "believe a resolver that is elsewhere when it says that an answer is signed")
	f.DurationVar(&o.timeout, "timeout", 5*time.Second, "longest `TIME` to wait for one answer")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	return cmd
}

// judge is who judges one message.
type judge struct {
	visit   policy.Visit
	spf     bool // it is known who brought it
	sealers map[string]bool
	dns     *recorder
}

func (o *options) judge(text *policy.Text) (*judge, error) {
	j := &judge{spf: o.ip != "", sealers: map[string]bool{}}
	for _, d := range o.sealers {
		j.sealers[strings.ToLower(strings.TrimSuffix(d, "."))] = true
	}
	// Without a client nothing is asked about it, and any will do.
	addr := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	if j.spf {
		var err error
		if addr, err = netip.ParseAddr(o.ip); err != nil || addr.Zone() != "" || addr.Unmap().IsLoopback() {
			return nil, cli.Fail(cli.Usage, "--ip %q is no address of a client elsewhere", o.ip)
		}
	} else if o.helo != "" {
		return nil, cli.Fail(cli.Usage, "--helo is of no use without --ip")
	}
	j.visit.Source.Client, j.visit.Source.Hello = netip.AddrPortFrom(addr, 25), o.helo
	if err := o.sender(j, text.Header); err != nil {
		return nil, err
	}
	c, err := cli.Resolver(o.servers)
	if err != nil {
		return nil, err
	}
	if o.timeout <= 0 {
		return nil, cli.Fail(cli.Usage, "--timeout %s is no time to wait", o.timeout)
	}
	c.TrustAD, c.Timeout = c.TrustAD || o.trusted, o.timeout
	j.dns = &recorder{inner: authdns.Resolver{DNS: c}}
	return j, nil
}

// sender is the one of the envelope.
func (o *options) sender(j *judge, h message.Header) error {
	from := o.from
	if from == "" {
		from = strings.TrimSpace(h.Get("Return-Path").Value())
	}
	address := strings.TrimSuffix(strings.TrimPrefix(from, "<"), ">")
	if address == "" {
		return nil
	}
	p, err := smtp.ParseMailbox(address)
	if err != nil && o.from != "" {
		return cli.Fail(cli.Usage, "--from %q is no mailbox", o.from)
	}
	j.visit.From = p // null if the Return-Path makes no sense
	return nil
}
