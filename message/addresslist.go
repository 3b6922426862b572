package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ParseError says where a text could not be read, and why.
type ParseError struct {
	Offset int // in bytes
	Reason string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("message: byte %d: %s", e.Offset, e.Reason)
}

// ParseAddressList reads the value of a field like To (RFC 5322, 3.4), folded
// or not, as people and programs really write them: besides the rule it takes
// the obsolete forms (routes, comments, white space around dots), unquoted
// names with dots and "@", quotes and brackets that nobody closed, semicolons
// between addresses, encoded words where there should be none, raw UTF-8.
// A name may have been a comment, as in "jo@example.org (Jo)".
//
// An entry that makes no sense is passed over: the list holds all others, and
// the error, a [*ParseError], tells of the first. Each Addr in the list is one
// that a [Message] takes. Time and memory are linear in len(s).
func ParseAddressList(s string) (AddressList, error) {
	p := listParser{lex: addressLexer{s: s}}
	p.parse()
	if p.err != nil {
		return p.list, p.err
	}
	return p.list, nil
}

// ParseAddress reads one mailbox, as tolerantly as [ParseAddressList].
func ParseAddress(s string) (Address, error) {
	list, err := ParseAddressList(s)
	if err != nil {
		return Address{}, err
	}
	if len(list) == 1 {
		if a, ok := list[0].(Address); ok {
			return a, nil
		}
	}
	return Address{}, &ParseError{0, "not one address"}
}

type listParser struct {
	lex   addressLexer
	list  AddressList
	group *Group  // the one we are in
	run   []token // since the last separator
	err   *ParseError
}

func (p *listParser) parse() {
	for {
		switch t := p.lex.next(); t.kind {
		case tokEnd:
			p.endMailbox()
			p.endGroup()
			return
		case ',':
			p.endMailbox()
		case ';':
			p.endMailbox()
			p.endGroup()
		case ':':
			p.beginGroup(t)
		case '<':
			p.angle(t)
		case '>': // closes nothing, and no word goes on behind it
			p.run = append(p.run, t)
		default:
			p.run = append(p.run, t)
		}
	}
}

func (p *listParser) fail(offset int, reason string) {
	if p.err == nil {
		p.err = &ParseError{offset, reason}
	}
}

func (p *listParser) beginGroup(colon token) {
	if p.group != nil {
		p.fail(colon.start, "a group inside a group")
	} else {
		p.group = &Group{Name: p.phrase(p.run)}
	}
	p.run = p.run[:0]
}

func (p *listParser) endGroup() {
	if p.group != nil {
		p.list = append(p.list, *p.group)
		p.group = nil
	}
}

func (p *listParser) add(a Address) {
	if p.group != nil {
		p.group.Members = append(p.group.Members, a)
	} else {
		p.list = append(p.list, a)
	}
}

// endMailbox ends a mailbox that had no angle brackets.
func (p *listParser) endMailbox() {
	words, comment := p.run[:0], ""
	for _, t := range p.run {
		if t.kind == tokComment {
			comment = p.comment(t)
		} else {
			words = append(words, t)
		}
	}
	p.run = p.run[:0]
	if len(words) > 0 {
		p.addSpec(comment, words)
	}
}

// angle reads what follows a "<". The words before it are the name.
func (p *listParser) angle(open token) {
	name := p.phrase(p.run)
	p.run = p.run[:0]
	words := p.run
	for {
		t := p.lex.next()
		switch t.kind {
		case '@':
			if len(words) > 0 {
				words = append(words, t)
			} else if !p.skipRoute() {
				p.fail(t.start, "a route without an address")
				return
			}
		case tokComment:
		case '<':
			if len(words) > 0 { // else it opens again what is open
				words = append(words, t)
			}
		case ':':
			words = words[:0] // <mailto:jo@example.org>
		case '>', tokEnd, ',', ';':
			if t.kind != '>' {
				p.lex.pos = t.start // nobody closed it: this ends more than the address
			}
			if len(words) == 0 {
				p.fail(open.start, "no address in angle brackets")
			} else {
				p.addSpec(name, words)
			}
			p.run = words[:0]
			return
		default:
			words = append(words, t)
		}
	}
}

// skipRoute passes over an obsolete route (RFC 5322, 4.4, obs-route).
func (p *listParser) skipRoute() bool {
	for {
		switch t := p.lex.next(); t.kind {
		case ':':
			return true
		case '>', '<', ';', tokEnd:
			return false
		}
	}
}

// addSpec adds the addr-spec that words are.
func (p *listParser) addSpec(name string, words []token) {
	if words = trimBrackets(words); len(words) == 0 {
		return
	}
	at := len(words) - 1
	for at >= 0 && words[at].kind != '@' {
		at--
	}
	if at < 0 {
		p.fail(words[0].start, "no @ in an address")
		return
	}
	addr, err := p.joinSpec(words[:at], words[at+1:])
	if err != nil {
		p.fail(words[0].start, err.Error())
		return
	}
	p.add(Address{Name: name, Addr: addr})
}

// trimBrackets takes brackets that nobody closed, or opened, from both ends. One in the
// middle stays, and makes the address wrong: what stands on its two sides is not one word.
func trimBrackets(words []token) []token {
	for len(words) > 0 && words[0].isBracket() {
		words = words[1:]
	}
	for len(words) > 0 && words[len(words)-1].isBracket() {
		words = words[:len(words)-1]
	}
	return words
}

func (t token) isBracket() bool { return t.kind == '<' || t.kind == '>' }

func (p *listParser) joinSpec(local, domain []token) (string, error) {
	l, err := p.join(local)
	if err != nil {
		return "", err
	}
	d, err := p.join(domain)
	if err != nil {
		return "", err
	}
	addr := l + "@" + d
	if _, _, err := splitAddr(addr); err != nil {
		return "", err
	}
	_, err = asciiDomain(d)
	return addr, err
}

// join puts one side of an addr-spec together. White space may stand only
// beside dots (RFC 5322, 4.4).
func (p *listParser) join(words []token) (string, error) {
	if slices.ContainsFunc(words, token.isBracket) {
		return "", errors.New("a bracket in an address")
	}
	if len(words) == 1 {
		return p.text(words[0]), nil
	}
	var b strings.Builder
	dot := true
	for _, t := range words {
		s := p.text(t)
		if t.spaced && !dot && s[0] != '.' {
			return "", errors.New("white space in an address")
		}
		b.WriteString(s)
		dot = s[len(s)-1] == '.'
	}
	return b.String(), nil
}

func (p *listParser) text(t token) string { return p.lex.s[t.start:t.end] }

// phrase reads a display name, as it stands and then decoded.
func (p *listParser) phrase(words []token) string {
	var b strings.Builder
	for _, t := range words {
		if t.kind == tokComment || t.isBracket() {
			continue
		}
		if t.spaced && b.Len() > 0 {
			b.WriteByte(' ')
		}
		if t.kind == tokQuoted {
			b.WriteString(p.unquote(t))
		} else {
			b.WriteString(p.text(t))
		}
	}
	return decodeText(strings.ToValidUTF8(b.String(), "\uFFFD"))
}

func (p *listParser) comment(t token) string {
	return decodeText(strings.ToValidUTF8(strings.TrimSpace(p.unquote(t)), "\uFFFD"))
}

// unquote takes the delimiters, the backslashes and the folding away.
func (p *listParser) unquote(t token) string {
	s := p.lex.s[t.start+1 : t.end-1]
	if !strings.ContainsAny(s, "\\\r\n") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] != '\r' && s[i] != '\n':
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
