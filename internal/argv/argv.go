// Package argv reads command lines as people write them, for programs that are
// run without a shell: [Split] makes the words of one, and refuses what only a
// shell could carry out.
package argv

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// maxLine is how many octets a command line may have.
const maxLine = 64 << 10

// shells are the characters that mean something to a shell where they are not
// quoted; inDouble those of them that do so within double quotes.
const (
	shells   = "|&;<>()$`*?[]{}~#!"
	inDouble = "$`"
)

// Split returns the words of a command line; the first is a program by its
// absolute path. Spaces and tabs stand between words. Within single quotes each
// character is itself; within double quotes a backslash quotes one of " \ $ and
// `; outside of quotes it quotes any character. Quoted or not, what stands
// together is one word, and two quotes with nothing between are an empty one.
//
// Pipes, redirections, variables, patterns, several commands and assignments
// are for a shell, and refused where they are not quoted; so are control
// characters anywhere. The error says what it is, and to write a script.
func Split(line string) ([]string, error) {
	if len(line) > maxLine {
		return nil, fmt.Errorf("a command line has %d octets at most", maxLine)
	}
	var words []string
	for rest := strings.TrimLeft(line, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		word, after, err := one(rest)
		if err != nil {
			return nil, err
		}
		words, rest = append(words, word), after
	}
	if len(words) == 0 || !filepath.IsAbs(words[0]) {
		return nil, errors.New("a command begins with the absolute path of a program")
	}
	return words, nil
}

// one takes the first word off a line.
func one(line string) (word, rest string, err error) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", "", errors.New("there is a control character in the command")
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), line[i:], nil
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == '\\' && quotes(line[i+1:], quote):
			i++
			b.WriteByte(line[i])
		case c == '\\' && quote == 0:
			return "", "", errors.New("there is nothing behind the last backslash")
		case isShells(c, quote):
			return "", "", fmt.Errorf("%q needs a shell, and there is none: quote it, or write a script", c)
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", errors.New("the closing quote is missing")
	}
	return b.String(), "", nil
}

// quotes reports whether a backslash within such quotes quotes what follows.
func quotes(rest string, quote byte) bool {
	switch {
	case rest == "" || quote == '\'':
		return false
	case quote == '"':
		return strings.IndexByte("\"\\"+inDouble, rest[0]) >= 0
	}
	return rest[0] >= ' ' && rest[0] != 0x7f
}

func isShells(c, quote byte) bool {
	switch quote {
	case 0:
		return strings.IndexByte(shells, c) >= 0
	case '"':
		return strings.IndexByte(inDouble, c) >= 0
	}
	return false
}
