// Package tlsrpt is the command "posthouse tlsrpt": it reads a report on TLS that
// somebody has sent us.
package tlsrpt

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/tlsrpt"
)

// Command returns "posthouse tlsrpt".
func Command() *cobra.Command {
	return cli.ReportCommand(&cobra.Command{
		Use:   "tlsrpt FILE",
		Short: "Read a report on TLS that somebody has sent (RFC 8460)",
		Long: `Read a report on TLS that somebody has sent (RFC 8460): how many sessions to our
mail hosts were secured as we ask for, and why the others were not.

The file is the mail that brought the report, or the report itself, packed by gzip
or not; "-" is the standard input. It ends with status 65 if it is no report.`,
		Example: `  posthouse tlsrpt report.json.gz
  posthouse tlsrpt mail.eml --json`,
	}, tlsrpt.Read, show)
}

// show prints a report for a person.
func show(r *tlsrpt.Report, out io.Writer) error {
	const day = "2006-01-02 15:04"
	p := cli.NewPage(out)
	p.Text("from     ", r.Organization+", "+r.Contact)
	p.Text("about    ", r.Range.Start.UTC().Format(day)+" to "+r.Range.End.UTC().Format(day)+" UTC")
	p.Text("id       ", r.ID)
	for i := range r.Policies {
		x := &r.Policies[i]
		p.Blank()
		p.Line(words(x.Policy.Type), "of", x.Policy.Domain)
		p.Line("  good   ", count(x.Summary.Successful))
		p.Line("  failed ", count(x.Summary.Failed))
		for k := range x.Failures {
			f := &x.Failures[k]
			p.Text("           "+cli.Right(fmt.Sprint(f.Count), 8)+" ", strings.Join(strings.Fields(
				strings.Join([]string{f.Type, at(f.MX, f.Receiver), f.Reason, f.More}, " ")), " "))
		}
	}
	return p.Print(out)
}

func words(kind string) string {
	switch kind {
	case tlsrpt.TypeDANE:
		return "DANE"
	case tlsrpt.TypeSTS:
		return "MTA-STS"
	case tlsrpt.TypeNone:
		return "no policy"
	}
	return kind
}

func count(n int64) string {
	s := cli.Right(fmt.Sprint(n), 8) + " session"
	if n != 1 {
		s += "s"
	}
	return s
}

func at(host, addr string) string {
	switch {
	case host == "" && addr == "":
		return ""
	case addr == "":
		return "at " + host
	}
	return "at " + host + " [" + addr + "]"
}
