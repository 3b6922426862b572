package filedir

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// Problem is something that is wrong with a directory.
type Problem struct {
	Origin  mail.Origin
	Message string // one line
}

// Error prints "aliases:3:1: nobody is known by the name jaen".
func (p Problem) Error() string { return p.Origin.String() + ": " + p.Message }

// Problems is an error that tells all that is wrong.
type Problems []Problem

// Error prints one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// maxProblems is how many are told.
const maxProblems = 100

// problems collects what is wrong.
type problems struct{ found Problems }

func (ps *problems) add(at mail.Origin, format string, args ...any) {
	switch {
	case len(ps.found) > maxProblems:
		return
	case len(ps.found) == maxProblems:
		format, args = "there are more problems than these", nil
	}
	ps.found = append(ps.found, Problem{at, fmt.Sprintf(format, args...)})
}

// sorted returns them in the order of files and lines.
func (ps *problems) sorted() Problems {
	slices.SortStableFunc(ps.found, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Origin.File, b.Origin.File), a.Origin.Line-b.Origin.Line, a.Origin.Column-b.Origin.Column)
	})
	return ps.found
}

// full reports whether more would not be told.
func (ps *problems) full() bool { return len(ps.found) > maxProblems }

// quote prints what stands in a file, clipped, on one line.
func quote(s string) string { return clip(s, 64) }

// quotePath prints the name of a file like quote, but more of it.
func quotePath(s string) string { return clip(s, 1024) }

func clip(s string, most int) string {
	if len(s) > most {
		return strconv.QuoteToGraphic(strings.ToValidUTF8(s[:most], "?")) + "..."
	}
	return strconv.QuoteToGraphic(s)
}
