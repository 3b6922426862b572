package sendmail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// session speaks SMTP on the standard streams: the daemon does if it is there, and
// otherwise we take what goes to the drop directory.
func (d *desk) session(ctx context.Context, in io.Reader, out io.Writer) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", d.where.SubmitSocket())
	if err != nil {
		return d.sessionAlone(in, out)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	go func() { // it ends with its stream, which nobody can take from it
		_, _ = io.Copy(conn, in)
		_ = conn.(*net.UnixConn).CloseWrite()
	}()
	if _, err := io.Copy(out, conn); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}

// sessionAlone answers in the place of the daemon. It knows of no recipient whether he
// is one: the sender hears of that later.
func (d *desk) sessionAlone(in io.Reader, out io.Writer) error {
	dir := d.where.DropDirectory()
	server := &smtpserver.Server{
		Hostname: d.where.Hostname,
		Handler:  dropHandler{dir},
		Offer:    smtp.SetOf(smtp.ExtBinaryMIME, smtp.ExtSMTPUTF8, smtp.ExtDSN, smtp.ExtFutureRelease, smtp.ExtMTPriority, smtp.ExtRequireTLS),
		Limits:   smtpserver.Limits{MessageSize: largest, Recipients: maildrop.MaxRecipients, DataRate: -1, DataIdle: -1},
	}
	fmt.Fprintf(d.errs, "the daemon is away: messages wait in %s\n", dir)
	if err := server.ServeConn(streams{in, out}); err != nil && !errors.Is(err, smtpserver.ErrServerClosed) {
		return cli.Fail(cli.Software, "%w", err)
	}
	return nil
}

// streams are the standard streams as a connection. There is no time limit on them.
type streams struct {
	io.Reader
	io.Writer
}

func (streams) Close() error                     { return nil }
func (streams) LocalAddr() net.Addr              { return &net.UnixAddr{Net: "unix"} }
func (streams) RemoteAddr() net.Addr             { return &net.UnixAddr{Net: "unix"} }
func (streams) SetDeadline(time.Time) error      { return nil }
func (streams) SetReadDeadline(time.Time) error  { return nil }
func (streams) SetWriteDeadline(time.Time) error { return nil }

// dropHandler takes every message for the drop directory.
type dropHandler struct{ dir string }

func (h dropHandler) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return h, nil
}

func (dropHandler) Close() {}

func (h dropHandler) Mail(_ context.Context, from smtp.Path, params *smtp.MailParams) (smtpserver.Transaction, error) {
	return &dropping{dir: h.dir, l: maildrop.Letter{From: from, Params: *params}}, nil
}

// dropping is a message on its way into the drop directory.
type dropping struct {
	dir string
	l   maildrop.Letter
}

func (d *dropping) Rcpt(_ context.Context, to smtp.Path, params *smtp.RcptParams) (*smtp.Reply, error) {
	d.l.To = append(d.l.To, smtp.Rcpt{To: to, Params: *params})
	return nil, nil
}

func (d *dropping) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	t := new(text)
	defer t.close()
	if _, err := io.Copy(t, body); err != nil {
		return nil, err
	}
	d.l.Text = t
	name, err := maildrop.Add(d.dir, &d.l)
	if err != nil {
		return nil, smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "The daemon is away, and the message cannot be left: %v", err)
	}
	return smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "The daemon is away: the message waits as %s", name), nil
}

func (*dropping) Abort() {}
