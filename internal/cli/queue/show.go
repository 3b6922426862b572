package queue

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

type showing struct {
	*options
	text bool
}

func (o *options) showCommand() *cobra.Command {
	s := showing{options: o}
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one message, its recipients, and its text",
		Long: `Show one message that is in the queue: how it came, and how it stands with each
of those who have not got it. The ID may be shortened to its first letters.`,
		Example: `  posthouse queue show 06j2kz4k9r
  posthouse queue show --text 06j2kz4k9r > message.eml`,
		Args: cli.One("the ID of a message"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			if s.text {
				return showText(cmd.Context(), c, args[0], cmd.OutOrStdout())
			}
			return s.run(cmd.Context(), c, args[0], cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&s.text, "text", false, "print its text instead, as it is; on a terminal without what could harm it")
	return cmd
}

// run prints the message, and its recipients page by page.
func (s *showing) run(ctx context.Context, c *client.Client, id string, out io.Writer) error {
	p := printer{page: cli.NewPage(out), now: s.now()}
	for after := ""; ; {
		m, err := c.Message(ctx, id, after)
		if err != nil {
			return err
		}
		if s.json {
			err = printJSON(out, m)
		} else {
			if after == "" {
				p.head(&m)
			}
			p.of = m.ID
			for i := range m.Recipients {
				p.recipient(&m.Recipients[i])
			}
			err = p.page.Print(out)
		}
		if after = m.Next; err != nil || after == "" {
			return err
		}
		id = m.ID.String()
	}
}

// head prints what is known of the message as a whole.
func (p *printer) head(m *admin.Message) {
	row := func(name, value string) {
		if value != "" {
			p.page.Text(cli.Left(name, 12), value)
		}
	}
	row("message", m.ID.String())
	row("from", senderOf(m.From.String()))
	row("subject", m.Subject)
	row("message-id", m.MessageID)
	row("arrived", m.Arrived.Local().Format(time.DateTime)+", "+admin.Short(p.now.Sub(m.Arrived))+" ago")
	row("came", sourceWords(&m.Source))
	row("size", cli.Octets(m.Size))
	row("asked for", askedFor(m))
	row("recipients", fmt.Sprintf("%s in all; of those who have not got it:", cli.Number(m.Addressed)))
	p.page.Blank()
}

// sourceWords tells how a message came.
func sourceWords(s *admin.Source) string {
	var said []string
	if s.Listener != "" {
		said = append(said, "by "+s.Listener)
	}
	if s.Client != "" {
		said = append(said, "from "+s.Client+hello(s.Hello))
	}
	for _, word := range []string{s.Protocol, s.TLS} {
		if word != "" {
			said = append(said, word)
		}
	}
	if s.Login != "" {
		said = append(said, "logged in as "+s.Login)
	}
	return strings.Join(said, ", ")
}

func hello(name string) string {
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}

// askedFor tells what the sender asked for with extensions.
func askedFor(m *admin.Message) string {
	var said []string
	add := func(is bool, format string, args ...any) {
		if is {
			said = append(said, fmt.Sprintf(format, args...))
		}
	}
	add(m.Priority != 0, "priority %d", m.Priority)
	add(!m.HoldUntil.IsZero(), "not before %s", m.HoldUntil.Local().Format(time.DateTime))
	add(!m.By.IsZero(), "deliver by %s", m.By.Local().Format(time.DateTime))
	add(m.RequireTLS, "TLS all the way")
	add(m.Return != "", "reports with %s", m.Return)
	add(m.EnvID != "", "envelope id %s", m.EnvID)
	add(m.UTF8, "UTF-8 addresses")
	add(m.Body != "" && m.Body != "7BIT", "%s", m.Body)
	return strings.Join(said, ", ")
}

// showText copies the text; on a terminal line by line, made printable.
func showText(ctx context.Context, c *client.Client, id string, out io.Writer) error {
	text, err := c.Text(ctx, id)
	if err != nil {
		return err
	}
	defer text.Close()
	if cli.IsTerminal(out) {
		err = copyPrintable(out, text)
	} else {
		_, err = io.Copy(out, text)
	}
	if err != nil {
		return cli.Fail(cli.IOErr, "the text is not whole: %w", err)
	}
	return nil
}

func copyPrintable(out io.Writer, text io.Reader) error {
	r := bufio.NewReader(text)
	for {
		line, err := r.ReadSlice('\n')
		whole := err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return err
		}
		said := strings.ReplaceAll(strings.TrimRight(string(line), "\r\n"), "\t", "    ")
		if whole {
			said = cli.Printable(said) + "\n"
		} else {
			said = cli.Printable(said)
		}
		if _, failed := io.WriteString(out, said); failed != nil {
			return failed
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}
