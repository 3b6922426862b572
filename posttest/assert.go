package posttest

import (
	"strings"
	"testing"
)

// Contains ends the test if the text of the message does not contain a piece.
func (m *Message) Contains(t testing.TB, piece string) {
	t.Helper()
	if !strings.Contains(m.Text, piece) {
		t.Fatalf("posttest: the message %q does not say %q; it says:\n%s", m.Subject, piece, indented(m.Text))
	}
}

// TextIs ends the test if the text of the message is another, and shows the difference line by line:
// "-" is wanted and missing, "+" is there and not wanted.
func (m *Message) TextIs(t testing.TB, want string) {
	t.Helper()
	if got := m.Text; got != strings.TrimSpace(want) {
		t.Fatalf("posttest: the message %q says something else (- wanted, + said):\n%s", m.Subject, diff(strings.TrimSpace(want), got))
	}
}

// Link returns the first link of the message that contains a piece, and ends the test if
// there is none.
func (m *Message) Link(t testing.TB, piece string) string {
	t.Helper()
	for _, l := range m.Links() {
		if strings.Contains(l, piece) {
			return l
		}
	}
	t.Fatalf("posttest: the message %q has no link with %q; its links are:\n%s", m.Subject, piece, indented(strings.Join(m.Links(), "\n")))
	return ""
}

// Code returns the likeliest one-time code of the message, and ends the test if there is
// none.
func (m *Message) Code(t testing.TB) string {
	t.Helper()
	codes := m.Codes()
	if len(codes) == 0 {
		t.Fatalf("posttest: the message %q has no one-time code; it says:\n%s", m.Subject, indented(m.Text))
	}
	return codes[0]
}

func indented(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

// maxDiff is how many lines are compared; of longer texts the beginning.
const maxDiff = 1000

// diff shows two texts as one: lines that both have, "-" those of want only, "+" those of
// got only, by their longest common subsequence.
func diff(want, got string) string {
	a, b := lines(want), lines(got)
	common := make([][]int, len(a)+1) // of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var out strings.Builder
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out.WriteString("    " + a[i] + "\n")
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out.WriteString("  - " + a[i] + "\n")
			i++
		default:
			out.WriteString("  + " + b[j] + "\n")
			j++
		}
	}
	return out.String()
}

func lines(s string) []string {
	all := strings.Split(s, "\n")
	return all[:min(len(all), maxDiff)]
}
