package relay

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

func (o *options) login(cmd *cobra.Command, route string) error {
	c, err := o.house.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	done, err := o.logIn(cmd, c, route)
	if err != nil {
		return err
	}
	return cli.Answer(cmd.OutOrStdout(), o.json, done, cli.Words(told(&done, route)))
}

func told(done *admin.RelayLogin, route string) string {
	s := "Logged in at " + cli.Printable(route) + "."
	if done.Retried > 0 {
		s += " " + cli.Count(done.Retried, "recipient") + " had waited for it, and now the mail goes."
	}
	return s + "\n"
}

func (o *options) logIn(cmd *cobra.Command, c *client.Client, route string) (admin.RelayLogin, error) {
	if o.token != "" {
		token, err := cli.ReadSecret(o.token)
		if err != nil {
			return admin.RelayLogin{}, err
		}
		return c.TakeToken(cmd.Context(), route, token)
	}
	prompt, err := c.BeginLogin(cmd.Context(), route)
	if err != nil {
		return admin.RelayLogin{}, err
	}
	if err := o.ask(cmd.OutOrStdout(), &prompt); err != nil {
		return admin.RelayLogin{}, cli.Fail(cli.IOErr, "%w", err)
	}
	came := ""
	if prompt.Browser {
		if came, err = address(cmd.InOrStdin()); err != nil {
			return admin.RelayLogin{}, err
		}
	}
	return await(cmd.Context(), c, route, came)
}

// ask says what is to be done.
func (o *options) ask(out io.Writer, p *admin.RelayPrompt) error {
	if o.json {
		return cli.PrintJSON(out, p)
	}
	what := "Open this page, anywhere, and type in the code:\n\n  " + cli.Printable(p.URL) + "\n  " + cli.Printable(p.Code) + "\n\nWaiting until " +
		p.Expires.Local().Format("15:04") + " ...\n"
	if p.Browser {
		what = "Open this address in a browser and log in:\n\n  " + cli.Printable(p.URL) + "\n\n" +
			"The browser ends at a page that it may not be able to show. Copy the address of\nthat page to here, and press Enter:\n"
	}
	_, err := io.WriteString(out, what)
	return err
}

// maxAddress is the longest address that is read, in octets.
const maxAddress = 16 << 10

// address reads one line.
func address(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxAddress)).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		return "", cli.Fail(cli.NoInput, "no address was given (%v)", err)
	}
	return line, nil
}

// await waits until the person has logged in, or the offer is over.
func await(ctx context.Context, c *client.Client, route, came string) (admin.RelayLogin, error) {
	for {
		done, err := c.AwaitLogin(ctx, route, came)
		if err != nil || !done.Pending {
			return done, err
		}
	}
}
