// Package run is the command "posthouse run": it receives mail for whomever it
// is, keeps it in a Maildir and sends nothing on.
package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// lastWords is how long sessions get to come to their end when the program
// ends: about as long as a supervisor waits before it kills.
const lastWords = 8 * time.Second

// options are the flags of the command.
type options struct {
	data string
	smtp string
	log  string
}

// Command returns "posthouse run".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Receive mail for everybody and keep it; send nothing",
		Long: `Receive mail for everybody and keep it; send nothing.

Every recipient is accepted and every message is a file in the Maildir under the
data directory; nothing ever leaves this machine. A message is on stable storage
before the client is told 250. STARTTLS is offered with a certificate that is
made for the run; clients find it in certificate.pem in the data directory.

One line a message is logged on the standard error stream. SIGINT and SIGTERM
end the program: messages on their way in are finished first.`,
		Example: `  posthouse run
  posthouse run --data /var/tmp/mail --smtp 127.0.0.1:0 --log json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := o.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), log)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "posthouse-data", "`DIR` that holds what is received; made if it is missing")
	f.StringVar(&o.smtp, "smtp", cli.LocalServer, "`ADDR` to listen on, HOST:PORT (port 0: a free one)")
	f.StringVar(&o.log, "log", "text", "form of the log: `text` or json")
	return cmd
}

func (o *options) logger(w io.Writer) (*slog.Logger, error) {
	switch o.log {
	case "text":
		return slog.New(slog.NewTextHandler(w, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	}
	return nil, cli.Fail(cli.Usage, "--log %q is neither text nor json", o.log)
}

func (o *options) run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	addr, err := cli.HostPort(o.smtp, "2525")
	if err != nil {
		return err
	}
	data, err := openData(o.data)
	if err != nil {
		return err
	}
	defer data.close()
	certificate, err := makeCertificate(time.Now())
	if err != nil {
		return cli.Fail(cli.Software, "certificate: %w", err)
	}
	if err := data.writeCertificate(certificate); err != nil {
		return err
	}
	l, err := smtpserver.Listen(ctx, addr)
	if err != nil {
		return listenFault(addr, err)
	}
	server := &smtpserver.Server{
		Handler:  &keeper{box: data.box, hostname: hostname(), log: log},
		Hostname: hostname(),
		TLS:      tlsConfig(certificate),
		Offer:    smtp.SetOf(smtp.ExtBinaryMIME, smtp.ExtSMTPUTF8),
		Log:      log,
	}
	if err := o.greet(out, l.Addr()); err != nil {
		return errors.Join(err, l.Close())
	}
	return serve(ctx, server, l, log)
}

// greet tells a newcomer what to do next. The first line names the address.
func (o *options) greet(out io.Writer, addr net.Addr) error {
	to := ""
	if addr.String() != cli.LocalServer {
		to = " --server " + addr.String()
	}
	_, err := fmt.Fprintf(out, `Receiving mail on %s. It is kept in %s and goes nowhere else.
Send a first message from another terminal:

  posthouse send%s --to you@example.org --subject hello --text "It works."

Ctrl-C ends.
`, addr, filepath.Join(o.data, maildirName), to)
	if host, ok := addr.(*net.TCPAddr); err == nil && ok && !host.IP.IsLoopback() {
		_, err = fmt.Fprintf(out, "Whoever can reach %s can fill this disk: 127.0.0.1 keeps it to this machine.\n", addr)
	}
	return err
}

// serve answers until the context ends, and then lets the sessions end.
func serve(ctx context.Context, server *smtpserver.Server, l net.Listener, log *slog.Logger) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return cli.Fail(cli.OSErr, "%w", err)
	case <-ctx.Done():
	}
	log.Info("ending", "longest", lastWords)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		log.Warn("some sessions did not end in time and are cut; what they had not been told 250 for is not kept", "longest", lastWords)
		_ = server.Close()
	}
	<-served
	return nil
}

func listenFault(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return cli.Fail(cli.OSErr, "%s is in use by another program (end that one, or listen elsewhere: --smtp 127.0.0.1:0 takes a free port)", addr)
	case errors.Is(err, syscall.EACCES):
		return cli.Fail(cli.NoPerm, "%s may not be listened on by this user (take a port from 1024 upward, such as --smtp %s)", addr, cli.LocalServer)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return cli.Fail(cli.OSErr, "%s is no address of this machine (listen on 127.0.0.1:2525, or 0.0.0.0:2525 for all)", addr)
	}
	return cli.Fail(cli.OSErr, "listen on %s: %w", addr, err)
}
