package sendmail

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// verified is what the daemon says of an address.
type verified struct {
	Address string    `json:"address"`
	OK      bool      `json:"ok"` // mail for it is taken
	Code    smtp.Code `json:"code"`
	Reply   string    `json:"reply"`
}

// verify asks the daemon about addresses, and sends nothing.
func (d *desk) verify(ctx context.Context, o *options, c *caller, out io.Writer) error {
	addresses, err := o.addresses(c)
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		return cli.Fail(cli.Usage, "there is no address (give some: -bv ADDRESS...)")
	}
	from, err := o.sender(c)
	if err != nil {
		return err
	}
	conn, err := d.dial(ctx)
	if err != nil {
		return cli.Fail(cli.TempFail, "the daemon cannot be asked: %s", plain(err))
	}
	defer conn.Close()
	var all []verified
	status := cli.OK
	for _, a := range addresses {
		v, err := ask(ctx, conn, from, a)
		if err != nil {
			return err
		}
		all = append(all, v)
		switch {
		case v.Code.Permanent():
			status = cli.NoUser
		case !v.OK && status == cli.OK:
			status = cli.TempFail
		}
	}
	_ = conn.Quit(ctx)
	if err := printVerified(out, all, o.json); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return cli.End(status)
}

// ask asks about one address. It is asked as when mail is sent, so that the answer is
// the one that mail would get; then the transaction is given up.
func ask(ctx context.Context, conn *smtpclient.Conn, from smtp.Path, address string) (verified, error) {
	to, err := smtp.ParseMailbox(address)
	if err != nil {
		return verified{}, cli.Fail(cli.Usage, "%q: %w", address, err)
	}
	params := smtp.MailParams{UTF8: !from.IsASCII() || !to.IsASCII()}
	var reply *smtp.Reply
	for _, c := range []smtp.Command{smtp.Mail{From: from, Params: params}, smtp.Rcpt{To: to}} {
		if reply, err = conn.Cmd(ctx, c); err != nil {
			return verified{}, cli.Fail(cli.Protocol, "%s: %w", address, err)
		}
		if !reply.Code.Positive() {
			break
		}
	}
	if _, err := conn.Cmd(ctx, smtp.Rset{}); err != nil {
		return verified{}, cli.Fail(cli.Protocol, "%s: %w", address, err)
	}
	return verified{address, reply.Code.Positive(), reply.Code, reply.Error()}, nil
}

func printVerified(out io.Writer, all []verified, asJSON bool) error {
	if asJSON {
		for _, v := range all {
			if err := cli.PrintJSON(out, v); err != nil {
				return err
			}
		}
		return nil
	}
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range all {
		word := "deliverable"
		switch {
		case v.Code.Permanent():
			word = "refused"
		case !v.OK:
			word = "not now"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", cli.Printable(v.Address), word, cli.Printable(v.Reply))
	}
	return tw.Flush()
}
