// Package talk is the command "posthouse talk": a session with a mail server,
// line by line, by hand or by script, to find out what the other side does.
package talk

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
)

// options are the flags of the command.
type options struct {
	server       string
	script       string // a file, "-", or ""
	expect       []string
	quitAfter    string
	dropAfter    string
	tls          string // "", "starttls" or "implicit"
	ca           string
	passwordFile string
	plainAuth    bool
	timeout      time.Duration
	json         bool
}

// Command returns "posthouse talk".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "talk HOST:PORT [LINE...]",
		Short: "Speak with a mail server line by line, by hand or by script",
		Long: `Speak with a mail server line by line, by hand or by script.

The lines come from the arguments, from --script, or from the standard input.
Each is sent with CRLF, and the reply to it is awaited; after DATA, lines are
the text of the message until a line with a single dot. Every line is printed
with the seconds since the connection was made. Lines that begin with a slash
are for talk itself, and those that begin with # are comments:

` + helpText() + `
A line //x sends /x. In BYTES, \r \n \t \0 \\ and \xHH stand for octets. CODES
are alternatives such as 250, 25x or 4xx; "closed" stands for a connection that
the other side closed. A STEP is "connect", a verb in small letters ("rcpt"),
"tls", "text" (the message without its final dot) or "dot".

At the end of the lines talk says QUIT. Secrets of AUTH are printed as ***.`,
		Example: `  posthouse talk localhost:2525
  posthouse talk localhost:2525 "EHLO me.example" /starttls "EHLO me.example"
  posthouse talk mx.example:25 --script probe.txt --expect 220,250,250 --quit-after rcpt
  posthouse talk localhost:2525 "EHLO me.example" "MAIL FROM:<a@b.example>" \
      "RCPT TO:<c@d.example>" DATA "/raw one\n.\nQUIT\r\n" /wait`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("nobody to speak with: give HOST:PORT")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			server, err := cli.HostPort(args[0], "25")
			if err != nil {
				return err
			}
			o.server = server
			if err := o.check(); err != nil {
				return err
			}
			lines, err := o.source(cmd, args[1:])
			if err != nil {
				return err
			}
			defer lines.Close()
			return o.talk(cmd, lines)
		},
	}
	o.flags(cmd)
	return cmd
}

func (o *options) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.script, "script", "", "read the lines from `FILE` (- for the standard input)")
	f.StringSliceVar(&o.expect, "expect", nil, "`CODES` that the replies must have, in order, the greeting first, as in 220,250|550")
	f.StringVar(&o.quitAfter, "quit-after", "", "say QUIT after the reply to `STEP`")
	f.StringVar(&o.dropAfter, "drop-after", "", "cut the connection after `STEP`")
	f.StringVar(&o.tls, "tls", "", "`HOW` to begin with TLS: starttls (EHLO is said before) or implicit")
	f.StringVar(&o.ca, "ca", "", "trust the certificates in `FILE` instead of the system's")
	f.StringVar(&o.passwordFile, "password-file", "", "`FILE` whose first line is the password for /auth")
	f.BoolVar(&o.plainAuth, "allow-plaintext-auth", false, "let /auth send a password without TLS, or to a server whose certificate is not valid")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "longest `TIME` to wait for the connection and for each reply")
	f.BoolVar(&o.json, "json", false, "print each line as a JSON object")
}

// lines is where the session's lines come from.
type lines struct {
	io.Reader
	io.Closer
	interactive bool // a person types them
}

func (o *options) check() error {
	switch {
	case o.tls != "" && o.tls != "starttls" && o.tls != "implicit":
		return cli.Fail(cli.Usage, "--tls %q is neither starttls nor implicit", o.tls)
	case o.timeout <= 0:
		return cli.Fail(cli.Usage, "--timeout must be more than nothing")
	case o.dropAfter != "" && o.quitAfter != "":
		return cli.Fail(cli.Usage, "the session cannot end twice (give either --quit-after or --drop-after)")
	case o.quitAfter == "text":
		return cli.Fail(cli.Usage, "nothing can be said in the middle of a text (use --drop-after text)")
	}
	return nil
}

func (o *options) source(cmd *cobra.Command, args []string) (*lines, error) {
	stdin := cmd.InOrStdin()
	switch {
	case o.script != "" && len(args) > 0:
		return nil, cli.Fail(cli.Usage, "lines are given twice (give either --script or lines as arguments)")
	case len(args) > 0:
		return &lines{strings.NewReader(strings.Join(args, "\n")), io.NopCloser(nil), false}, nil
	case o.script == "" || o.script == "-":
		return &lines{stdin, io.NopCloser(nil), o.script == "" && cli.IsTerminal(stdin)}, nil
	}
	f, err := os.Open(o.script)
	if err != nil {
		return nil, cli.Fail(cli.NoInput, "%w", err)
	}
	return &lines{f, f, false}, nil
}

func (o *options) talk(cmd *cobra.Command, in *lines) error {
	expect, err := parsePatterns(o.expect)
	if err != nil {
		return err
	}
	config, err := o.tlsConfig()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	p, err := dial(ctx, o.server, o.timeout)
	if err != nil {
		return cli.Fail(cli.DialStatus(err), "%w", err)
	}
	s := &session{
		options: o, peer: p, config: config, expect: expect,
		out:         &cli.Dialogue{Out: cmd.OutOrStdout(), Begun: p.begun, JSON: o.json},
		interactive: in.interactive,
		done:        ctx.Done(),
	}
	defer s.peer.close()
	if in.interactive {
		s.note("connected to %s; /help lists what begins with a slash", p.conn.RemoteAddr())
	} else {
		s.note("connected to %s", p.conn.RemoteAddr())
	}
	return s.run(readLines(ctx, in))
}

// tlsConfig leaves the judgement on the certificate to the session, which
// tells of it and goes on: that is what talk is for.
func (o *options) tlsConfig() (*tls.Config, error) {
	host, _, err := net.SplitHostPort(o.server)
	if err != nil {
		return nil, err
	}
	roots, err := cli.ReadCertificates(o.ca)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		ServerName:         host,
		RootCAs:            roots,
		NextProtos:         []string{"smtp"},
		InsecureSkipVerify: true,
	}, nil
}
