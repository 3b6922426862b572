// Package dmarc is the command "posthouse dmarc": it reads a report on DMARC that
// somebody has sent us.
package dmarc

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/dmarcrpt"
)

// Command returns "posthouse dmarc".
func Command() *cobra.Command {
	return cli.ReportCommand(&cobra.Command{
		Use:   "dmarc FILE",
		Short: "Read a report on DMARC that somebody has sent (RFC 9990, 7489)",
		Long: `Read an aggregate report on DMARC that somebody has sent (RFC 9990, 7489): which hosts
have sent mail in the name of our domain, whether it was proved to be ours, and what
became of it.

The file is the mail that brought the report, or the report itself, packed by gzip or
zip or not; "-" is the standard input. It ends with status 65 if it is no report.`,
		Example: `  posthouse dmarc example.net!example.org!1795392000!1795478399.xml.gz
  posthouse dmarc mail.eml --json`,
	}, dmarcrpt.Read, show)
}

// show prints a report for a person.
func show(r *dmarcrpt.Report, out io.Writer) error {
	const day = "2006-01-02 15:04"
	p := cli.NewPage(out)
	m := &r.Metadata
	p.Text("from     ", m.Organization+", "+m.Email)
	p.Text("about    ", m.Begin.Time().Format(day)+" to "+m.End.Time().Format(day)+" UTC")
	p.Text("id       ", m.ID)
	p.Text("policy   ", published(&r.Policy))
	for _, e := range m.Errors {
		p.Text("error    ", e)
	}
	for i := range r.Records {
		p.Blank()
		record(p, &r.Records[i])
	}
	return p.Print(out)
}

func published(p *dmarcrpt.Published) string {
	words := []string{p.Domain + " wants " + p.P}
	for _, w := range []struct{ is, word string }{{p.Subdomains, "below it "}, {p.Nonexistent, "for names that are none "}} {
		if w.is != "" && w.is != p.P {
			words = append(words, w.word+w.is)
		}
	}
	if p.Testing == "y" {
		words = append(words, "and is testing")
	}
	return strings.Join(words, ", ")
}

// record prints what became of messages that fared alike.
func record(p *cli.Page, r *dmarcrpt.Record) {
	n := cli.Right(fmt.Sprint(r.Row.Count), 8) + " message"
	if r.Row.Count != 1 {
		n += "s"
	}
	p.Text(n+" ", "from "+r.Row.Source+", in the name of "+r.Identifiers.Head+": "+fate(&r.Row))
	for i := range r.Results.DKIM {
		s := &r.Results.DKIM[i]
		p.Text("         ", strings.TrimSpace("DKIM of "+s.Domain+": "+s.Result))
	}
	for i := range r.Results.SPF {
		s := &r.Results.SPF[i]
		p.Text("         ", strings.TrimSpace("SPF of "+s.Domain+": "+s.Result))
	}
	for _, reason := range r.Row.Reasons {
		p.Text("         ", strings.TrimSpace("because of "+reason.Type+" "+reason.Comment))
	}
}

func fate(r *dmarcrpt.Row) string {
	proof := "not proved"
	switch {
	case r.DKIM == "pass" && r.SPF == "pass":
		proof = "proved by DKIM and SPF"
	case r.DKIM == "pass":
		proof = "proved by DKIM"
	case r.SPF == "pass":
		proof = "proved by SPF"
	}
	switch r.Disposition {
	case "none", "pass", "":
		return proof + ", taken"
	case "quarantine":
		return proof + ", quarantined"
	case "reject":
		return proof + ", refused"
	}
	return proof + ", " + r.Disposition
}
