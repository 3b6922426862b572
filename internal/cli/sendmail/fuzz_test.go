package sendmail

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

// FuzzOptions: whatever a program is called with, it is read or refused by name, without harm.
func FuzzOptions(f *testing.F) {
	for _, s := range []string{"-t -i", "-oi -f bob@a.example -- -x", "-f", "-bs", "-bp -v", "-F \x00 -O x=y", "-fbob@a.example a@b c@d", "-XV", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		o, err := readOptions(strings.Split(line, " "))
		if (o == nil) == (err == nil) {
			t.Errorf("%q is %v, %v", line, o, err)
		}
	})
}

// FuzzUntilDot: a text ends at the first line that is a dot alone, however long lines are, and
// nothing before it is lost.
func FuzzUntilDot(f *testing.F) {
	for _, s := range []string{"a\n.\nb\n", "a\r\n.\r\n", ".", "..\n.", strings.Repeat("x", 40) + ".\n.\n", "a\n. \n.\n", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := io.ReadAll(&untilDot{r: bufio.NewReaderSize(strings.NewReader(text), 16)})
		want := ""
		for line := range strings.Lines(text) {
			if strings.TrimRight(line, "\r\n") == "." {
				break
			}
			want += line
		}
		if string(got) != want || err != nil {
			t.Errorf("%q is %q, %v, and not %q", text, got, err, want)
		}
	})
}
