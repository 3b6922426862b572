package pipe

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/posthouse/posthouse/internal/argv"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// command is the words of one, of which some may name parts of the envelope.
type command []argument

// argument is a word of the command: texts and names of parts of the envelope, in
// turns; a text is first.
type argument []string

// parts are what the names stand for.
var parts = map[string]func(e *mail.Envelope, recipient int) string{
	"sender":    func(e *mail.Envelope, _ int) string { return e.From.String() },
	"recipient": func(e *mail.Envelope, i int) string { return e.To[i].To.String() },
	"user":      func(e *mail.Envelope, i int) string { return e.To[i].To.Mailbox() },
	"domain":    func(e *mail.Envelope, i int) string { return e.To[i].To.Domain() },
	"id":        func(e *mail.Envelope, _ int) string { return e.ID.String() },
}

func parseArgv(argv []string) (command, error) {
	if len(argv) == 0 || !filepath.IsAbs(argv[0]) {
		return nil, errors.New("a command begins with the absolute path of a program")
	}
	all := command{{argv[0]}}
	for _, word := range argv[1:] {
		a, err := parseArgument(word)
		if err != nil {
			return nil, fmt.Errorf("argument %q: %w", word, err)
		}
		all = append(all, a)
	}
	return all, nil
}

func parseArgument(word string) (argument, error) {
	a := argument{""}
	for {
		text, rest, found := strings.Cut(word, "%")
		a[len(a)-1] += text
		switch {
		case !found:
			return a, nil
		case strings.HasPrefix(rest, "%"):
			a[len(a)-1] += "%"
			word = rest[1:]
			continue
		}
		name, after, ok := strings.Cut(strings.TrimPrefix(rest, "{"), "}")
		if !ok || !strings.HasPrefix(rest, "{") || parts[name] == nil {
			return nil, errors.New(`behind "%" there is neither a second one nor {sender}, {recipient}, {user}, {domain} or {id}`)
		}
		a = append(a, name, "")
		word = after
	}
}

// fill makes the command for a recipient.
func (c command) fill(e *mail.Envelope, recipient int) ([]string, *smtp.Reply) {
	words := make([]string, len(c))
	for i, a := range c {
		word, err := a.fill(e, recipient)
		if err != nil {
			return nil, smtp.Replyf(smtp.CodeNameNotAllowed, smtp.EnhancedCode{5, 1, 3}, "%v", err)
		}
		words[i] = word
	}
	return words, nil
}

// aliased is the command that an alias names.
func aliased(e *mail.Envelope, recipient int) ([]string, *smtp.Reply) {
	line, is := strings.CutPrefix(e.To[recipient].Into, "|")
	if !is {
		return nil, smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 3, 5}, "The alias names no command")
	}
	words, err := argv.Split(line)
	if err != nil {
		return nil, smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 3, 5}, "The command of the alias cannot be run: %v", err)
	}
	return words, nil
}

// fill makes the word for a recipient. One that begins with a part that begins
// with a hyphen is refused: the program would take it for an option.
func (a argument) fill(e *mail.Envelope, recipient int) (string, error) {
	word := a[0]
	for i := 1; i < len(a); i += 2 {
		value := parts[a[i]](e, recipient)
		if word == "" && strings.HasPrefix(value, "-") {
			return "", fmt.Errorf("the %s %q could be taken for an option", a[i], value)
		}
		word += value + a[i+1]
	}
	return word, nil
}
