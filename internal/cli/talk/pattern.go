package talk

import (
	"strings"

	"github.com/posthouse/posthouse/internal/cli"
)

// pattern is a list of alternatives for the code of a reply: "250", "25x",
// "4xx", or "closed" for a connection that the other side closed.
type pattern []string

func parsePattern(words []string) (pattern, error) {
	if len(words) == 0 {
		return nil, cli.Fail(cli.Usage, "no code to expect (such as 250, 4xx or closed)")
	}
	for _, w := range words {
		if w != closedWord && !isCodePattern(w) {
			return nil, cli.Fail(cli.Usage, "%q is no code to expect (such as 250, 4xx or closed)", w)
		}
	}
	return words, nil
}

// parsePatterns reads the value of --expect, one pattern a reply, whose
// alternatives are separated by "|" or spaces.
func parsePatterns(values []string) ([]pattern, error) {
	var all []pattern
	for _, v := range values {
		p, err := parsePattern(strings.Fields(strings.ReplaceAll(v, "|", " ")))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

const closedWord = "closed"

func isCodePattern(w string) bool {
	if len(w) != 3 || w[0] < '1' || w[0] > '9' {
		return false
	}
	for _, c := range w[1:] {
		if c != 'x' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func (p pattern) String() string { return strings.Join(p, " or ") }

func (p pattern) matches(code int, closed bool) bool {
	for _, w := range p {
		if w == closedWord {
			if closed {
				return true
			}
		} else if !closed && matchCode(w, code) {
			return true
		}
	}
	return false
}

func matchCode(w string, code int) bool {
	if code < 100 || code > 999 {
		return false
	}
	digits := [3]int{code / 100, code / 10 % 10, code % 10}
	for i := range w {
		if w[i] != 'x' && int(w[i]-'0') != digits[i] {
			return false
		}
	}
	return true
}

// wantsClosed reports whether a closed connection is one of the alternatives.
func (p pattern) wantsClosed() bool {
	for _, w := range p {
		if w == closedWord {
			return true
		}
	}
	return false
}
