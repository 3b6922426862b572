package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/posthouse/posthouse/internal/mail"
)

// Problem is something that is wrong with a configuration.
type Problem struct {
	Origin  mail.Origin
	Message string // one line
	Hint    string // what to do about it; may be empty
	Source  string // the line of the file, clipped, tabs as spaces; may be empty
}

// Error prints the problem on one line, without the source:
// `main.hcl:3:1: there is no setting "hostnam" (did you mean "hostname"?)`.
func (p Problem) Error() string {
	s := p.Origin.String() + ": " + p.Message
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Excerpt returns the line of the file with a mark below the place, each line
// ended by "\n":
//
//	3 | hostnam = "mx.example.org"
//	  | ^
//
// It is "" if there is nothing to show.
func (p Problem) Excerpt() string {
	if p.Source == "" {
		return ""
	}
	number := fmt.Sprintf("%5d", p.Origin.Line)
	return fmt.Sprintf("%s | %s\n%*s | %*s\n", number, p.Source, len(number), "", max(p.Origin.Column, 1), "^")
}

// Problems is an error that tells all that is wrong with a file, in the order of
// its lines.
type Problems []Problem

// Error prints one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Most that is told of a file, and of what stands in it.
const (
	maxProblems = 100
	maxQuoted   = 64
	maxExcerpt  = 160
)

// problems collects what is wrong with one file.
type problems struct {
	file  string
	lines []string // of the source
	found Problems
}

// add tells a problem. The format is that of fmt.Sprintf.
func (ps *problems) add(at mail.Origin, hint, format string, args ...any) {
	if len(ps.found) > maxProblems {
		return
	}
	if len(ps.found) == maxProblems {
		hint, format, args = "mend these first", "there are more problems than these", nil
	}
	p := Problem{at, oneLine(fmt.Sprintf(format, args...)), oneLine(hint), ps.line(at)}
	if !slices.Contains(ps.found, p) { // what is inherited would be told by each heir
		ps.found = append(ps.found, p)
	}
}

// conceal takes the source of a line out of what is told: it may hold a secret.
func (ps *problems) conceal(line int) {
	for i := range ps.found {
		if ps.found[i].Origin.Line == line {
			ps.found[i].Source = ""
		}
	}
}

// line is the source at a place, if the mark of an excerpt can be put below it.
func (ps *problems) line(at mail.Origin) string {
	if at.File != ps.file || at.Line < 1 || at.Line > len(ps.lines) || at.Column > maxExcerpt {
		return ""
	}
	s := masked(oneLine(ps.lines[at.Line-1]))
	if r := []rune(s); len(r) > maxExcerpt {
		s = string(r[:maxExcerpt]) + "..."
	}
	return s
}

// oneLine makes text of a file safe to print: a character that is not to be seen
// becomes a space, or a question mark.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\r':
			return ' '
		case r == unicode.ReplacementChar || r != ' ' && !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
}

// masked is a text whose URLs do not tell a password: what stands between a colon and an @
// becomes stars.
func masked(s string) string {
	before, rest, found := strings.Cut(s, "://")
	if !found {
		return s
	}
	end := strings.IndexAny(rest, "\" '")
	if end < 0 {
		end = len(rest)
	}
	place := rest[:end]
	at := strings.LastIndexByte(place, '@')
	if colon := strings.IndexByte(place, ':'); colon >= 0 && colon < at {
		place = place[:colon+1] + "***" + place[at:]
	}
	return before + "://" + place + masked(rest[end:])
}

// clip shortens what a message quotes, and masks it.
func clip(s string) string {
	s = masked(s)
	if len(s) <= maxQuoted {
		return s
	}
	return strings.ToValidUTF8(s[:maxQuoted], "?") + "..."
}
