// Package send is the command "posthouse send": it composes a message, or takes
// one from a file, hands it to a server and says what became of it for each
// recipient.
package send

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// options are the flags of the command.
type options struct {
	server string
	helo   string
	lmtp   bool

	from        string
	to, cc, bcc []string
	subject     string
	text, html  string
	attach      []string
	headers     []string
	raw         string

	tls          string
	ca           string
	auth         string
	user         string
	passwordFile string
	plainAuth    bool

	json    bool
	verbose bool
}

// Command returns "posthouse send".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "send --to ADDRESS... [--server HOST:PORT]",
		Short: "Send a message and say what became of it for each recipient",
		Long: `Send a message and say what became of it for each recipient.

The message is composed from --subject, --text, --html, --attach and --header,
or taken as it is from --raw, where line ends become CRLF. Addresses may have
names, and one flag may hold several: --to "Jo <jo@example.org>, li@example.org".

The status is 0 if every recipient was accepted. Otherwise it says why the worst
was not: 65 the server refused the message, or it cannot be sent as it is; 69
the server refuses for good; 75 it may be tried again; 68 no such host; 76 the
server is out of the protocol; 77 the login failed; 66 a file cannot be read; 64
the command line is wrong. If the connection broke while the server took the
message its fate is unknown (75): to send it again may make a second copy.`,
		Example: `  posthouse send --to you@example.org --subject hello --text "It works."
  posthouse send --to you@example.org --text @letter.txt --attach photo.jpg -v
  posthouse send --server mail.example.org:587 --tls require --auth PLAIN \
      --user me --password-file secret.txt --from me@example.org --to you@example.org \
      --subject hello --text -
  posthouse send --raw message.eml --from a@example.org --to b@example.org --json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.send(cmd) },
	}
	o.flags(cmd)
	return cmd
}

func (o *options) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.server, "server", cli.LocalServer, "`HOST:PORT`, or the path of a unix socket")
	f.StringVar(&o.from, "from", "",
		"`ADDRESS` of the author and sender; <> with --raw: none (default: you at this host)")
	f.StringArrayVar(&o.to, "to", nil, "`ADDRESS` of a recipient (repeat for more)")
	f.StringArrayVar(&o.cc, "cc", nil, "`ADDRESS` of a recipient of a copy")
	f.StringArrayVar(&o.bcc, "bcc", nil, "`ADDRESS` of a recipient whom the message does not name")
	f.StringVar(&o.subject, "subject", "", "`SUBJECT`")
	f.StringVar(&o.text, "text", "", "`TEXT`, or @FILE, or - for the standard input")
	f.StringVar(&o.html, "html", "", "the text in `HTML`, or @FILE, or -")
	f.StringArrayVar(&o.attach, "attach", nil, "`FILE` to go with the message")
	f.StringArrayVar(&o.headers, "header", nil, "one field more, `\"NAME: VALUE\"`")
	f.StringVar(&o.raw, "raw", "", "send the message in `FILE` (- for the standard input) as it is")
	f.StringVar(&o.tls, "tls", "opportunistic", "`POLICY`: require, opportunistic, implicit or never")
	f.StringVar(&o.ca, "ca", "", "trust the certificates in `FILE` instead of the system's")
	f.StringVar(&o.auth, "auth", "", "SASL `MECHANISM` to log in with (default with --user: the strongest in common)")
	f.StringVar(&o.user, "user", "", "`NAME` to log in with")
	f.StringVar(&o.passwordFile, "password-file", "", "`FILE` whose first line is the password or token")
	f.BoolVar(&o.plainAuth, "allow-plaintext-auth", false,
		"let a password be read on the way: without TLS, or by a server whose certificate is not valid")
	f.StringVar(&o.helo, "helo", "", "`NAME` of this host (default: its address)")
	f.BoolVar(&o.lmtp, "lmtp", false, "speak LMTP")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "print the dialogue on the standard error stream, secrets masked")
}

func (o *options) send(cmd *cobra.Command) error {
	dialer, err := o.dialer()
	if err != nil {
		return err
	}
	network, address, err := o.address()
	if err != nil {
		return err
	}
	l, err := o.letter(cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer l.close()
	bar := cli.NewProgress(cmd.ErrOrStderr(), "sending", l.size, cli.Octets)
	if o.verbose || l.size < worthABar {
		bar = nil
	}
	dialer.Trace = func(string, net.Conn) *smtpclient.Trace { return o.trace(cmd.ErrOrStderr(), bar) }
	r := o.deliver(cmd.Context(), dialer, network, address, l)
	bar.Done()
	return r.print(cmd.OutOrStdout(), o.json)
}

// worthABar is the size of a message, in octets, from which a bar is drawn.
const worthABar = 1 << 20

// deliver hands the letter over. A QUIT that fails does not matter.
func (o *options) deliver(ctx context.Context, d *smtpclient.Dialer, network, address string, l *letter) *report {
	r := &report{Server: address, From: l.env.From.String(), Size: l.size}
	conn, err := d.Dial(ctx, network, address)
	if err != nil {
		r.fail(l, o.explain(err))
		return r
	}
	r.connected(conn)
	result, err := conn.Send(ctx, l.env, l)
	r.tell(result)
	if err != nil {
		r.fail(l, o.explain(err))
		_ = conn.Close()
		return r
	}
	_ = conn.Quit(ctx)
	return r
}

// address returns what --server stands for. The port depends on the protocol.
func (o *options) address() (network, address string, err error) {
	if strings.HasPrefix(o.server, "/") || strings.HasPrefix(o.server, "./") {
		return "unix", o.server, nil
	}
	port := "25"
	switch {
	case o.lmtp:
		port = "24"
	case o.tls == "implicit":
		port = "465"
	}
	address, err = cli.HostPort(o.server, port)
	return "tcp", address, err
}

func (o *options) dialer() (*smtpclient.Dialer, error) {
	policy, ok := map[string]smtpclient.TLSPolicy{
		"require":       smtpclient.TLSRequire,
		"opportunistic": smtpclient.TLSOpportunistic,
		"implicit":      smtpclient.TLSImplicit,
		"never":         smtpclient.TLSNever,
	}[o.tls]
	if !ok {
		return nil, cli.Fail(cli.Usage, "--tls %q is none of require, opportunistic, implicit and never", o.tls)
	}
	if o.helo != "" {
		if err := checkHelo(o.helo); err != nil {
			return nil, err
		}
	}
	roots, err := cli.ReadCertificates(o.ca)
	if err != nil {
		return nil, err
	}
	auth, err := o.login()
	if err != nil {
		return nil, err
	}
	return &smtpclient.Dialer{
		LocalName: o.helo,
		LMTP:      o.lmtp,
		TLS:       policy,
		TLSConfig: &tls.Config{RootCAs: roots},
		Auth:      auth,
		NetDial:   (&net.Dialer{Timeout: time.Minute}).DialContext,
	}, nil
}

func checkHelo(name string) error {
	if _, ok := smtp.ParseLiteral(name); ok {
		return nil
	}
	if _, err := smtp.ParseDomain(name); err != nil {
		return cli.Fail(cli.Usage, "--helo %q is neither a domain nor an address literal such as [192.0.2.1]", name)
	}
	return nil
}

// login returns how to log in; nil: not at all.
func (o *options) login() (*smtpclient.Auth, error) {
	if o.auth == "" && o.user == "" && o.passwordFile == "" {
		return nil, nil
	}
	a := &smtpclient.Auth{Mechanism: strings.ToUpper(o.auth), Username: o.user, AllowPlaintext: o.plainAuth}
	if a.Mechanism == "EXTERNAL" {
		return a, nil
	}
	if o.user == "" || o.passwordFile == "" {
		return nil, cli.Fail(cli.Usage, "to log in give both --user and --password-file")
	}
	secret, err := cli.ReadSecret(o.passwordFile)
	if err != nil {
		return nil, err
	}
	switch a.Mechanism {
	case "OAUTHBEARER", "XOAUTH2":
		a.Token = secret
	default:
		a.Password = secret
	}
	return a, nil
}

// sender is who sends when nobody is named: the user at this host.
func sender() string {
	name, host := "postmaster", "localhost"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	if _, err := smtp.ParseMailbox(name + "@" + host); err != nil {
		return "postmaster@localhost"
	}
	return name + "@" + host
}
