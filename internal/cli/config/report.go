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
	"github.com/posthouse/posthouse/internal/daemon"
)

// report is what "check" has to say.
type report struct {
	File     string    `json:"file"`
	OK       bool      `json:"ok"`
	Problems []problem `json:"problems"`

	summary string
	found   config.Problems
}

// problem is something that is wrong, in the configuration or in a file that it
// names.
type problem struct {
	place
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// check reads a configuration, and then the files that it names. An error is one
// that is no fault of theirs.
func check(ctx context.Context, name string) (*report, error) {
	r := &report{File: name, Problems: []problem{}}
	c, err := cli.ReadConfig(name)
	if err == nil {
		r.summary = strings.Join([]string{
			cli.Count(len(c.Listen), "listener"), cli.Count(len(c.Domains), "domain"), cli.Count(len(c.Routes), "route"),
		}, ", ")
		err = daemon.Check(ctx, c, daemon.World{})
	}
	if err != nil && !errors.As(err, &r.found) {
		return nil, err
	}
	slices.SortStableFunc(r.found, func(a, b config.Problem) int { // of one file together, by line
		x, y := a.Origin, b.Origin
		return cmp.Or(strings.Compare(x.File, y.File), x.Line-y.Line, x.Column-y.Column)
	})
	for _, p := range r.found {
		r.Problems = append(r.Problems, problem{place(p.Origin), p.Message, p.Hint})
	}
	r.OK = len(r.found) == 0
	return r, nil
}

// print writes the report for people. What is wrong goes to errs, each problem with
// the line that it is in.
func (r *report) print(out, errs io.Writer) error {
	if !r.OK {
		return cli.TellProblems(errs, r.File, r.found)
	}
	_, err := fmt.Fprintf(out, "%s is good: %s\n", cli.Printable(r.File), r.summary)
	return err
}
