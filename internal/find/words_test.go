package find

import (
	"os"
	"strings"
	"testing"
)

// TestWords plays testdata/words.txt: a text, and below it its words.
func TestWords(t *testing.T) {
	text, err := os.ReadFile("testdata/words.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")[1:]
	for i := 0; i+1 < len(lines); i += 2 {
		var got []string
		words(lines[i], func(w string) { got = append(got, w) })
		if want := strings.TrimSpace(lines[i+1]); strings.Join(got, " ") != want {
			t.Errorf("%q is found by %q, and not by %q", lines[i], strings.Join(got, " "), want)
		}
	}
}

// TestWrongSearches are refused in words.
func TestWrongSearches(t *testing.T) {
	for _, c := range []struct{ words, want string }{
		{"body:hello", `there is no "body:" to search by`},
		{"in*voice", "a star stands at the end"},
		{"subject:", "says nothing"},
		{"*", "says nothing"},
		{"subject:...", "no letter and no digit"},
		{strings.Repeat("a ", 20), "at most 16 words"},
		{strings.Repeat("a", 2000), "at most 1000 octets"},
	} {
		if _, _, err := parse(c.words); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.20q: %v", c.words, err)
		}
	}
}
