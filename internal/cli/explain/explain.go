// Package explain is the command "posthouse explain": the way that mail for an
// address would go now, choice by choice.
package explain

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

type options struct {
	house client.Flags
	json  bool
	size  string
	ask   client.Question
}

// Command returns "posthouse explain".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "explain ADDRESS",
		Short: "Tell the way that mail for an address would go, and which setting says so",
		Long: `Tell the way that mail for an address would go now: who may send it, whom an
alias means, which route fits and why the others do not, the hosts that DNS
names, limits, how the destination is, and when it would be tried again. Each
choice is told with the line of the file that decided.

A running posthouse is asked, and answers by the code that takes in and delivers
mail; nothing is sent. It ends with status 65 if the mail would be refused.`,
		Example: `  posthouse explain info@example.org
  posthouse explain bob@example.com --from ann@example.org --login ann
  posthouse explain bob@example.com --client 192.0.2.1 --size 20MB`,
		Args: cli.One("an address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ask.To = args[0]
			if err := o.readSize(); err != nil {
				return err
			}
			c, err := o.house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			x, err := c.Explain(cmd.Context(), o.ask)
			if err != nil {
				return err
			}
			return o.print(&x, cmd.OutOrStdout())
		},
	}
	o.house.Add(cmd)
	f := cmd.Flags()
	f.StringVar(&o.ask.From, "from", "", "`ADDRESS` of the sender; none is the null sender")
	f.StringVar(&o.ask.Client, "client", "", "`IP` address of who brings it; without one it is a program on this host")
	f.StringVar(&o.ask.Login, "login", "", "`NAME` of who has logged in")
	f.StringVar(&o.size, "size", "", "`SIZE` of the message, such as 10MB")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	return cmd
}

func (o *options) readSize() error {
	if o.size == "" {
		return nil
	}
	n, err := admin.ParseSize(o.size)
	if err != nil {
		return cli.Fail(cli.Usage, "--size: %w", err)
	}
	o.ask.Size = strconv.FormatInt(n, 10)
	return nil
}

func (o *options) print(x *admin.Explanation, out io.Writer) error {
	err := cli.Answer(out, o.json, x, printed(x, cli.NewPage(out)).Print)
	if err == nil && !x.Taken {
		return cli.End(cli.DataErr)
	}
	return err
}

// printed numbers the steps from the first to the last.
func printed(x *admin.Explanation, p *cli.Page) *cli.Page {
	from := x.From.String()
	p.Line(fmt.Sprintf("Mail from <%s> to <%s>", from, x.To))
	p.Blank()
	n := 0
	steps := func(all []admin.Step) {
		for i := range all {
			n++
			step(p, n, &all[i])
		}
	}
	steps(x.Steps)
	for i := range x.Ways {
		w := &x.Ways[i]
		p.Blank()
		p.Line("To", w.To.String(), w.Into)
		p.Blank()
		steps(w.Steps)
	}
	if x.More > 0 {
		p.Blank()
		p.Line("and " + cli.Count(x.More, "more recipient"))
	}
	return p
}

// step prints one, with its place at the end of its text or on a line of its own.
func step(p *cli.Page, n int, s *admin.Step) {
	head := fmt.Sprintf("%3d. ", n)
	indent := strings.Repeat(" ", len(head))
	p.Text(head, s.Text)
	for _, note := range s.Notes {
		p.Text(indent+"- ", note)
	}
	if at := s.At.String(); at != "" {
		p.Line(indent + "at " + at)
	}
}
