package filedir

import (
	"strings"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/mail"
)

// maxLine is the longest line of a file, in octets. What is longer is no alias.
const maxLine = 64 << 10

// alias is what an alias file says of one name.
type alias struct {
	name    word
	targets []word
}

// word is a name or a target in a file.
type word struct {
	raw    string // as it was written
	plain  string // without its quotes
	origin mail.Origin
}

// aliasFile reads one file.
type aliasFile struct {
	*problems
	file    string
	form    form
	aliases []alias
	wants   bool // a target: the last was followed by a comma
	skip    bool // what follows continues a line that is wrong
	line    int
}

// form is how a file is written.
type form uint8

const (
	domainForm form = iota // name: target, target; or without the colon
	unixForm               // name: target, target
	listForm               // target, target
	namesForm              // name
)

// parse reads a file. What is wrong is told, and the line left out.
func parse(ps *problems, file, text string, f form) []alias {
	p := &aliasFile{problems: ps, file: file, form: f}
	if f == listForm {
		p.aliases = []alias{{}} // of no name; it has all targets
	}
	for line := range strings.Lines(text) {
		p.line++
		p.readLine(strings.TrimRight(line, " \t\r\n"))
		if ps.full() {
			break
		}
	}
	p.end()
	return p.aliases
}

func (p *aliasFile) at(column int) mail.Origin {
	return mail.Origin{File: p.file, Line: p.line, Column: column + 1}
}

func (p *aliasFile) readLine(s string) {
	rest := strings.TrimLeft(s, " \t")
	switch {
	case rest == "" || rest[0] == '#':
		return
	case len(s) > maxLine:
		p.add(p.at(0), "the line is longer than %d octets", maxLine)
		p.skip = true
		return
	}
	l := &lexer{s: s, pos: len(s) - len(rest)}
	if l.pos == 0 || p.form == listForm || p.form == namesForm {
		p.end()
		if p.skip = !p.begin(l); p.skip {
			return
		}
	} else if len(p.aliases) == 0 && !p.skip {
		p.add(p.at(0), "the line begins with a space and so continues the one before, and there is none")
		p.skip = true
	}
	if !p.skip && p.form != namesForm {
		p.readTargets(l)
	}
}

// begin reads the name at the start of a line.
func (p *aliasFile) begin(l *lexer) bool {
	if p.form == listForm {
		p.wants = true
		return true
	}
	start := l.pos
	name, bad := l.word(p.form != namesForm)
	name.origin = p.at(start)
	l.space()
	colon := l.take(':')
	switch {
	case bad != "":
		p.add(p.at(l.pos), "%s", bad)
		return false
	case name.plain == "":
		p.add(p.at(start), "a name must stand here")
		return false
	case p.form == unixForm && !colon:
		p.add(p.at(l.pos), "a colon must stand behind the name %s", quote(name.plain))
		return false
	case p.form == namesForm && l.more():
		p.add(p.at(l.pos), "there is one name a line, and this stands behind %s", quote(name.plain))
		return false
	}
	p.aliases = append(p.aliases, alias{name: name})
	p.wants = true
	return true
}

// readTargets reads the targets in what is left of a line.
func (p *aliasFile) readTargets(l *lexer) {
	a := &p.aliases[len(p.aliases)-1]
	for l.space(); l.more(); l.space() {
		if l.take(',') {
			p.wants = true // one too many does no harm
			continue
		}
		start := l.pos
		w, bad := l.word(false)
		w.origin = p.at(start)
		switch {
		case bad != "":
			p.add(p.at(start), "%s", bad)
			p.skip = true
			return
		case !p.wants:
			p.add(p.at(start), "there is no comma in front of %s (a command with arguments stands in quotes)", quote(w.raw))
			p.skip = true
			return
		}
		a.targets = append(a.targets, w)
		p.wants = false
	}
}

// end looks at an alias that is complete.
func (p *aliasFile) end() {
	if n := len(p.aliases); n > 0 && !p.skip && p.form <= unixForm && len(p.aliases[n-1].targets) == 0 {
		p.add(p.aliases[n-1].name.origin, "nobody gets the mail of %s", quote(p.aliases[n-1].name.plain))
	}
}

// lexer takes one line apart.
type lexer struct {
	s   string
	pos int
}

// more reports whether there is more than a comment.
func (l *lexer) more() bool { return l.pos < len(l.s) && l.s[l.pos] != '#' }

func (l *lexer) space() {
	for l.pos < len(l.s) && (l.s[l.pos] == ' ' || l.s[l.pos] == '\t') {
		l.pos++
	}
}

func (l *lexer) take(c byte) bool {
	if l.pos < len(l.s) && l.s[l.pos] == c {
		l.pos++
		return true
	}
	return false
}

// word takes what reaches up to a space or comma, or up to a colon if it is a
// name. Within double quotes these are part of it, and a backslash quotes what
// follows.
func (l *lexer) word(name bool) (w word, bad string) {
	start, quoted := l.pos, false
	var plain strings.Builder
	for l.pos < len(l.s) {
		c := l.s[l.pos]
		switch {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\' && l.pos+1 < len(l.s):
			l.pos++
			plain.WriteByte(l.s[l.pos])
		case !quoted && (c == ' ' || c == '\t' || c == ',' || name && c == ':'):
			return word{raw: l.s[start:l.pos], plain: plain.String()}, ""
		case c < ' ' && c != '\t' || c == 0x7f:
			return word{}, "there is a control character"
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(l.s[l.pos:])
			if r == utf8.RuneError && size <= 1 || r < 0xa0 {
				return word{}, "this is no UTF-8 text"
			}
			plain.WriteString(l.s[l.pos : l.pos+size])
			l.pos += size - 1
		default:
			plain.WriteByte(c)
		}
		l.pos++
	}
	if quoted {
		return word{}, "the closing quote is missing"
	}
	return word{raw: l.s[start:], plain: plain.String()}, ""
}
