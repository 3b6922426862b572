package letter

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxTags is how many tags of HTML are looked at.
const maxTags = 200_000

// eachToken goes through HTML. The names of tags and attributes are in lower case, and
// what is said in attributes and text is unescaped.
func eachToken(source string, do func(t *html.Token)) {
	z := html.NewTokenizer(strings.NewReader(source))
	z.SetMaxBuf(MaxText)
	for range maxTags {
		if z.Next() == html.ErrorToken {
			return
		}
		t := z.Token()
		do(&t)
	}
}

// plain is what HTML says, without markup.
func plain(source string) string {
	var b strings.Builder
	var hidden atom.Atom // what is in it is not text
	eachToken(source, func(t *html.Token) {
		switch {
		case t.Type == html.TextToken && hidden == 0:
			words(&b, t.Data)
		case t.Type == html.StartTagToken && hidden == 0 && silent(t.DataAtom):
			hidden = t.DataAtom
		case t.Type == html.EndTagToken && t.DataAtom == hidden:
			hidden = 0
		case t.Type != html.TextToken && hidden == 0 && breaks(t.DataAtom):
			newLine(&b)
		}
	})
	return strings.TrimSpace(b.String())
}

// words appends a text with its white space as one shows it.
func words(b *strings.Builder, text string) {
	for i, word := range strings.Fields(text) {
		if i > 0 || startsApart(text) {
			space(b)
		}
		b.WriteString(word)
	}
	if trimmed := strings.TrimRight(text, white); trimmed != text {
		space(b)
	}
}

const white = " \t\r\n\f"

func startsApart(text string) bool { return strings.TrimLeft(text, white) != text }

// space appends a space where one shows.
func space(b *strings.Builder) {
	if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") && !strings.HasSuffix(b.String(), " ") {
		b.WriteByte(' ')
	}
}

func newLine(b *strings.Builder) {
	if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n\n") {
		b.WriteByte('\n')
	}
}

func silent(a atom.Atom) bool {
	switch a {
	case atom.Script, atom.Style, atom.Head, atom.Title, atom.Template, atom.Noscript:
		return true
	}
	return false
}

func breaks(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Br, atom.Div, atom.Tr, atom.Li, atom.Ul, atom.Ol, atom.Table, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6,
		atom.Blockquote, atom.Pre, atom.Hr, atom.Section, atom.Article, atom.Header, atom.Footer:
		return true
	}
	return false
}
