package userfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/internal/directory/userfile"
)

// FuzzParseUser: what is read is printed as a line that is read as the same.
func FuzzParseUser(f *testing.F) {
	a, err := txtar.ParseFile("testdata/lines.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(a.Files[0].Data)) {
		f.Add(strings.TrimSuffix(line, "\n"))
	}
	f.Fuzz(func(t *testing.T, line string) {
		u, err := userfile.ParseUser(line)
		if err != nil {
			return
		}
		text := u.String()
		again, err := userfile.ParseUser(text)
		if err != nil || strings.ContainsAny(text, "\r\n") {
			t.Fatalf("%q was printed as %q: %v", line, text, err)
		}
		if diff := cmp.Diff(text, again.String()); diff != "" {
			t.Error(diff)
		}
	})
}
