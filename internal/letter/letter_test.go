package letter_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/posthouse/posthouse/internal/letter"
)

// TestStories reads each letter of testdata and compares what a person would see
// with what the file says below it. UPDATE=1 writes that anew.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			source := strings.ReplaceAll(string(a.Files[0].Data), "\n", "\r\n")
			got := tell(letter.Parse([]byte(source)))
			if os.Getenv("UPDATE") != "" {
				a.Files = append(a.Files[:1], txtar.File{Name: "seen", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(a.Files[1].Data), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// tell is what a person would see of a letter.
func tell(l *letter.Letter) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("subject: %s", l.Subject)
	for _, a := range l.From {
		line("from: %s | %s", a.Name, a.Addr)
	}
	for _, a := range l.To {
		line("to: %s | %s", a.Name, a.Addr)
	}
	if !l.Date.IsZero() {
		line("date: %s", l.Date.UTC().Format("2006-01-02 15:04:05"))
	}
	for _, p := range l.Parts() {
		line("part %q: %s", p.Path, strings.TrimRight(fmt.Sprintf("%s %s %s %s", p.Type, p.Charset, p.Disposition, p.Name), " "))
	}
	line("text: %q", l.Text())
	if l.HTML() != "" {
		safe := l.Safe(letter.Safe{CID: func(id string) string {
			if l.ByCID(id) == nil {
				return ""
			}
			return "/part/" + id
		}})
		line("safe: %q", safe.HTML)
		line("words: %q", l.Words())
		if safe.Blocked+safe.Missing > 0 {
			line("blocked %d, missing %d", safe.Blocked, safe.Missing)
		}
	}
	for _, p := range l.Attachments() {
		content, _ := io.ReadAll(p.Open())
		line("attached: %s %s %d octets %.40q", p.Name, p.Type, p.Size(), content)
	}
	for _, p := range l.Inline() {
		line("inline: %s %s", p.ContentID, p.Type)
	}
	for _, k := range l.Links() {
		line("link: %s | %s", k.URL, k.Text)
	}
	if codes := l.Codes(); len(codes) > 0 {
		line("codes: %s", strings.Join(codes, " "))
	}
	for _, c := range l.Checks() {
		line("check: %v", c)
	}
	for _, r := range l.Results() {
		line("results: %v", r)
	}
	for _, p := range l.Problems {
		line("problem: %v", p)
	}
	return b.String()
}
