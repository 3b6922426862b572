package config

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/mail"
)

// Entry is a setting with the value that holds and where it comes from.
type Entry struct {
	Blocks  []string // the blocks that it stands in, from the outside: `listen "smtp"`
	Setting string
	Value   any // text, number, bool, list of them; nil: not set
	Origin  mail.Origin

	literal string // as the file says it; "": not set
}

// Entries returns all settings, built-in ones too, in the order of the reference.
func (c *Config) Entries() []Entry {
	var all []Entry
	collect(&all, nil, c.schema(nil))
	return all
}

func collect(all *[]Entry, path []string, s schema) {
	for _, f := range s.fields {
		text, value, origin := f.show()
		*all = append(*all, Entry{path, f.word, value, origin, text})
	}
	for _, b := range s.blocks {
		for _, inner := range b.all() {
			title := b.word
			if b.label != "" {
				title = inner.title
			}
			collect(all, append(slices.Clip(path), title), inner)
		}
	}
}

// Show prints the configuration that holds, as a file that says the same: each
// line ends with a comment that tells where the value comes from. What is not set
// is left out.
func (c *Config) Show(w io.Writer) error {
	p := printer{w: bufio.NewWriter(w)}
	p.schema(c.schema(nil), 0)
	return p.w.Flush()
}

type printer struct{ w *bufio.Writer }

// Columns at which comments begin, if there is room.
const commentColumn = 56

func (p *printer) schema(s schema, depth int) {
	indent := strings.Repeat("  ", depth)
	width := 0
	for _, f := range s.fields {
		if text, _, _ := f.show(); text != "" {
			width = max(width, len(f.word))
		}
	}
	for _, f := range s.fields {
		text, _, origin := f.show()
		if text == "" {
			continue
		}
		line := fmt.Sprintf("%s%-*s = %s", indent, width, f.word, text)
		pad := max(commentColumn-utf8.RuneCountInString(line), 2)
		fmt.Fprintf(p.w, "%s%*s# %s\n", line, pad, "", oneLine(origin.String()))
	}
	for _, b := range s.blocks {
		for _, inner := range b.all() {
			p.block(b, inner, depth)
		}
	}
}

func (p *printer) block(b block, s schema, depth int) {
	if s.unset() {
		return
	}
	title := b.word
	if b.label != "" {
		title = s.title
	}
	indent := strings.Repeat("  ", depth)
	if depth == 0 {
		fmt.Fprintln(p.w)
	}
	fmt.Fprintf(p.w, "%s%s {\n", indent, title)
	p.schema(s, depth+1)
	fmt.Fprintf(p.w, "%s}\n", indent)
}

// unset reports whether nothing in a block has a value.
func (s schema) unset() bool {
	for _, f := range s.fields {
		if text, _, _ := f.show(); text != "" {
			return false
		}
	}
	for _, b := range s.blocks {
		if len(b.all()) > 0 {
			return false
		}
	}
	return true
}

// wordPlaces returns the blocks in which a word is known.
func wordPlaces(word string) []string {
	written := mail.Origin{Line: 1}
	c := &Config{Listen: []Listen{{}}, Domains: []Domain{{Forwards: []Forward{{}}}}, Routes: []Route{{}}, Certificates: []Certificate{{}}, ACME: ACME{Origin: written}, Users: Users{Origin: written, LDAP: LDAP{Origin: written}, SQL: SQL{Origin: written}}}
	var places []string
	for _, e := range c.Entries() {
		if e.Setting != word {
			continue
		}
		place := "the file, outside of blocks"
		if n := len(e.Blocks); n > 0 {
			first, _, _ := strings.Cut(e.Blocks[n-1], " ")
			place = "a block " + first
		}
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	return places
}
