package filedir

import (
	"context"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

var _ directory.Explainer = (*Directory)(nil)

// Bounds of an explanation.
const (
	maxLines  = 1000
	maxOfLine = 100 // that are told of one line
)

// Explain implements [directory.Explainer].
func (d *Directory) Explain(_ context.Context, to smtp.Path) ([]directory.Line, error) {
	e := d.entryOf(to)
	if e == nil {
		return nil, nil
	}
	x := explanation{seen: map[*entry]bool{}}
	x.add(e)
	return x.lines, nil
}

// entryOf is the entry that Lookup goes by; nil: there is none.
func (d *Directory) entryOf(to smtp.Path) *entry {
	in := d.domains[mail.FoldDomain(to.Domain())]
	switch {
	case to.IsNull():
		return nil
	case to.Domain() == "" && d.postmaster != nil:
		return d.postmaster
	case to.Domain() == "" && len(d.order) > 0:
		in = d.order[0]
	case in == nil:
		return nil
	}
	if e, _ := in.find(to.Mailbox()); e != nil {
		return e
	}
	return in.catchAll
}

// explanation collects the lines of an entry and of those that it leads to.
type explanation struct {
	lines []directory.Line
	seen  map[*entry]bool
}

func (x *explanation) add(e *entry) {
	if x.seen[e] || len(x.lines) == maxLines {
		return
	}
	x.seen[e] = true
	line := directory.Line{Name: e.name, Kind: e.kind, Origin: e.origin}
	for _, t := range e.to[:min(len(e.to), maxOfLine)] {
		line.To = append(line.To, t.word())
	}
	if e.kind == directory.Moved {
		line.To = []string{e.moved.String()}
	}
	x.lines = append(x.lines, line)
	for _, t := range e.to {
		if t.entry != nil {
			x.add(t.entry)
		}
	}
}

// word is a target as it is told.
func (t *target) word() string {
	switch {
	case t.entry != nil:
		return t.entry.name
	case t.leaf.Into != "":
		return t.leaf.Into
	}
	return t.leaf.To.String()
}
