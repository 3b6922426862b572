package verify

import (
	"cmp"
	"io"
	"strings"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/policy"
)

// column is where what is told of a step begins.
const column = 18

// print writes what was found for a person.
func (f *found) print(out io.Writer) error {
	p := cli.NewPage(out)
	head := func(word, text string) {
		if text != "" {
			p.Text(cli.Left(word, 10), text)
		}
	}
	head("author", cmp.Or(f.Author, "nobody: there is no From field"))
	head("subject", f.Subject)
	head("sender", cmp.Or(f.Sender, "<> (none)"))
	head("client", strings.TrimSpace(f.Client+" "+f.Helo))
	if f.Client == "" {
		head("client", "not known, so that SPF is not asked (--ip names it)")
	}
	for i := range f.Steps {
		p.Blank()
		f.Steps[i].print(p)
	}
	p.Blank()
	f.verdict(p)
	return p.Print(out)
}

func (s *step) print(p *cli.Page) {
	for i := range s.Results {
		r := &s.Results[i]
		head := ""
		if i == 0 {
			head = s.Method
		}
		p.Text(cli.Left(head, 8)+cli.Left(r.Verdict, column-8), r.Means+" ("+r.RFC+")")
		for _, more := range []string{r.About, r.Reason} {
			if more != "" {
				p.Text(strings.Repeat(" ", column), more)
			}
		}
	}
	for i := range s.Asked {
		s.Asked[i].print(p)
	}
}

func (q *question) print(p *cli.Page) {
	signed := ""
	if q.Signed {
		signed = "(signed)"
	}
	p.Line(cli.Left("", column-1), "?", q.Question, signed)
	for _, a := range q.Answer {
		p.Line(cli.Left("", column-1), "=", a)
	}
	if q.Error != "" {
		p.Line(cli.Left("", column-1), "!", q.Error)
	}
}

// verdict tells what would become of the message.
func (f *found) verdict(p *cli.Page) {
	words := map[string]string{
		policy.Pass.String():       "The message would be taken.",
		policy.Mark.String():       "The message would be taken, and tell what was found.",
		policy.Quarantine.String(): "The message would be taken as junk.",
		policy.Defer.String():      "The client would be told to come again.",
		policy.Reject.String():     "The message would be refused.",
	}[f.Action]
	p.Text("", words)
	if f.Reason != "" {
		p.Text("", "Why: "+f.Reason)
	}
	if f.Reply != "" {
		p.Text("", "The client would hear: "+f.Reply)
	}
}
