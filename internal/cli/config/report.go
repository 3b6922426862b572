package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/directory/filedir"
	"github.com/posthouse/posthouse/internal/mail"
)

// report is what "check" has to say.
type report struct {
	File     string    `json:"file"`
	OK       bool      `json:"ok"`
	Problems []problem `json:"problems"`

	summary string
	config  *config.Config // nil if it could not be read
}

// problem is something that is wrong, in the configuration or in a file that it
// names.
type problem struct {
	place
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`

	excerpt string
}

// problemsOf takes an error apart into what is wrong with the configuration, and
// any other error.
func problemsOf(err error) ([]problem, error) {
	found := []problem{}
	var ps config.Problems
	switch {
	case err == nil:
		return found, nil
	case !errors.As(err, &ps):
		return nil, err
	}
	for _, p := range ps {
		found = append(found, problem{place(p.Origin), p.Message, p.Hint, p.Excerpt()})
	}
	return found, nil
}

// add tells what is wrong with a file that the configuration names.
func (r *report) add(at mail.Origin, format string, args ...any) {
	p := r.config.Problem(at, fmt.Sprintf(format, args...))
	r.Problems = append(r.Problems, problem{place(p.Origin), p.Message, "", p.Excerpt()})
}

// look checks the files that the configuration names.
func (r *report) look(ctx context.Context, c *config.Config) {
	r.config = c
	_, err := filedir.Load(ctx, directoryOf(c))
	var ps filedir.Problems
	switch {
	case errors.As(err, &ps):
		for _, p := range ps {
			r.add(p.Origin, "%s", p.Message)
		}
	case err != nil:
		r.add(mail.Origin{File: c.File, Line: 1, Column: 1}, "%v", err)
	}
	r.secrets(c)
	slices.SortStableFunc(r.Problems, func(a, b problem) int { // of one file together, by line
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	r.summary = fmt.Sprintf("%s, %s, %s", count(len(c.Listen), "listener"), count(len(c.Domains), "domain"), count(len(c.Routes), "route"))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// print tells people: what is wrong goes to errs, with the line it is in.
func (r *report) print(out, errs io.Writer) error {
	if len(r.Problems) == 0 {
		_, err := fmt.Fprintf(out, "%s is good: %s\n", cli.Printable(r.File), r.summary)
		return err
	}
	var b strings.Builder
	for _, p := range r.Problems {
		told := config.Problem{Origin: mail.Origin(p.place), Message: p.Message, Hint: p.Hint}
		fmt.Fprintf(&b, "%s\n%s", cli.Printable(told.Error()), p.excerpt)
	}
	fmt.Fprintf(&b, "%s: %s\n", cli.Printable(r.File), count(len(r.Problems), "problem"))
	_, err := io.WriteString(errs, b.String())
	return err
}

// directoryOf is the directory of a configuration.
func directoryOf(c *config.Config) filedir.Options {
	o := filedir.Options{Hostname: c.Hostname.Value, Postmaster: c.Postmaster.Value}
	for i := range c.Domains {
		d := &c.Domains[i]
		out := filedir.Domain{
			Name: d.Name, Origin: d.Origin, Also: d.Also.Value, CatchAll: d.CatchAll.Value,
			Mailboxes: d.Mailboxes.Value, MailboxFiles: files(d.MailboxFiles), AliasFiles: files(d.Aliases), Postmaster: d.Postmaster.Value,
			Tags: d.Tags.Value, KeepTags: d.KeepTags.Value, CaseSensitive: d.CaseSensitive.Value,
			Unix: filedir.Unix{AliasFiles: files(d.UnixAliases), Include: d.UnixInclude.Value, Pipes: d.UnixPipes.Value, Files: d.UnixFiles.Value},
		}
		for _, f := range d.Forwards {
			out.Forwards = append(out.Forwards, filedir.Forward{
				Name: f.Name, Origin: f.Origin, To: f.To.Value, Tell: f.Answer.Value == 251, Refuse: f.Answer.Value == 551,
			})
		}
		o.Domains = append(o.Domains, out)
	}
	return o
}

func files(s config.Setting[[]string]) []filedir.File {
	var all []filedir.File
	for _, name := range s.Value {
		all = append(all, filedir.File{Name: name, Origin: s.Origin})
	}
	return all
}
