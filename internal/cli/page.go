package cli

import (
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Page prints text for people. On a terminal no line is wider than that: a text is
// wrapped, and a line that cannot be is clipped. Elsewhere lines are as long as
// they are, so that they can be searched. What strangers wrote is made printable.
type Page struct {
	b    strings.Builder
	wide int // characters of a line; 0: any
	wrap int // where texts are wrapped
}

// NewPage returns an empty page for out, whose texts are wrapped at its width.
func NewPage(out io.Writer) *Page {
	p := &Page{wrap: min(Width(out), maxWrap) - 1}
	if IsTerminal(out) {
		p.wide = Width(out) - 1
	}
	return p
}

// maxWrap is the widest that a text is set; longer lines are hard to read.
const maxWrap = 100

// Print writes the page, and empties it.
func (p *Page) Print(out io.Writer) error {
	_, err := io.WriteString(out, p.b.String())
	p.b.Reset()
	if err != nil {
		return Fail(IOErr, "%w", err)
	}
	return nil
}

// Line adds one line, of parts with a space between them that are not empty.
func (p *Page) Line(parts ...string) { p.b.WriteString(Clip(joined(parts), p.wide) + "\n") }

// Fits reports whether a line of these parts would be printed whole.
func (p *Page) Fits(parts ...string) bool { return p.wide <= 0 || Cells(joined(parts)) <= p.wide }

func joined(parts []string) string {
	var b strings.Builder
	for _, part := range parts {
		if part == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Printable(part))
	}
	return strings.TrimRight(b.String(), " ")
}

// Blank adds an empty line.
func (p *Page) Blank() { p.b.WriteByte('\n') }

// Text adds a text behind a head, wrapped at the width of the page. Lines after
// the first are indented as deep as the head is wide.
func (p *Page) Text(head, text string) {
	indent := strings.Repeat(" ", Cells(head))
	line := head
	fresh := true
	for word := range strings.FieldsSeq(Printable(text)) {
		if !fresh && Cells(line)+1+Cells(word) > p.wrap {
			p.b.WriteString(Clip(line, p.wide) + "\n")
			line, fresh = indent, true
		}
		if !fresh {
			line += " "
		}
		line += word
		fresh = false
	}
	p.b.WriteString(Clip(strings.TrimRight(line, " "), p.wide) + "\n")
}

// Cells is how many columns of a terminal a text takes.
func Cells(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

func cells(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Clip shortens a text to so many columns, with "..." at its end; 0 is any number.
func Clip(s string, most int) string {
	if most <= 0 || Cells(s) <= most {
		return s
	}
	const dots = "..."
	room := max(most-len(dots), 0)
	for i, r := range s {
		if room -= cells(r); room < 0 {
			return s[:i] + dots[:min(len(dots), most)]
		}
	}
	return s
}

// Left and Right put a text into a column of a width.
func Left(s string, columns int) string {
	return s + strings.Repeat(" ", max(columns-Cells(s), 0))
}

// Right is Left for numbers.
func Right(s string, columns int) string {
	return strings.Repeat(" ", max(columns-Cells(s), 0)) + s
}
