package sendmail

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
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
	conn, err := d.dial(ctx)
	if err != nil {
		return cli.Fail(cli.TempFail, "the daemon cannot be asked: %s", plain(err))
	}
	defer conn.Close()
	var all []verified
	status := cli.OK
	for _, a := range addresses {
		reply, err := conn.Cmd(ctx, smtp.Vrfy{User: a, UTF8: !isASCII(a)})
		if err != nil {
			return cli.Fail(cli.Protocol, "%s: %w", a, err)
		}
		v := verified{a, reply.Code.Positive(), reply.Code, reply.Error()}
		if all = append(all, v); !v.OK {
			status = cli.NoUser
		}
	}
	_ = conn.Quit(ctx)
	if err := printVerified(out, all, o.json); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return cli.End(status)
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
		if !v.OK {
			word = "refused"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", cli.Printable(v.Address), word, cli.Printable(v.Reply))
	}
	return tw.Flush()
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
