package hostile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var times = regexp.MustCompile(`\$\{(\d+)\*([^}]*)\}`)

// spell writes out what a dialogue says in short.
func spell(text string) string {
	text = times.ReplaceAllStringFunc(text, func(s string) string {
		m := times.FindStringSubmatch(s)
		return strings.Repeat(m[2], number(m[1]))
	})
	var b strings.Builder
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "*":
			count, line, _ := strings.Cut(rest, " ")
			for i := range number(count) {
				b.WriteString(strings.Replace(line, "%d", strconv.Itoa(i), 1))
			}
		case "CHUNK":
			fmt.Fprintf(&b, "C: BDAT %d\nC> %s", octets(rest), rest)
		case "LAST":
			fmt.Fprintf(&b, "C: BDAT %d LAST\nC> %s", octets(rest), rest)
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(fmt.Sprintf("%q is no number in a story", s))
	}
	return n
}

func octets(quoted string) int {
	s, err := strconv.Unquote(strings.TrimSpace(quoted))
	if err != nil {
		panic(fmt.Sprintf("%s is no string in a story", quoted))
	}
	return len(s)
}

func TestSpell(t *testing.T) {
	const short = "C: ${3*ab}\n* 2 C: n%d\nLAST \"\\r\\n\"\nS: 250\n"
	if got, want := spell(short), "C: ababab\nC: n0\nC: n1\nC: BDAT 2 LAST\nC> \"\\r\\n\"\nS: 250\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
