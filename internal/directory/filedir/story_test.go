package filedir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/posthouse/posthouse/internal/directory/directorytest"
	"github.com/posthouse/posthouse/internal/directory/filedir"
	"github.com/posthouse/posthouse/internal/mail"
)

// TestStories plays testdata/stories: files, a domain example.org that is made of
// them and lives on mx.example.net, addresses to look up, and what is said. In "domain" each line is a
// setting and its values; "ask" is an address a line; "says" is an answer a line, or
// what is wrong. $DIR stands for the directory of the files. With UPDATE set, "says"
// is written anew.
func TestStories(t *testing.T) {
	stories, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(stories) == 0 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	for _, name := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) { playStory(t, name) })
	}
}

func playStory(t *testing.T, name string) {
	story, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	part := map[string]string{}
	for _, f := range story.Files {
		text := strings.ReplaceAll(string(f.Data), "$DIR", dir)
		part[f.Name] = text
		path := filepath.Join(dir, f.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.ReplaceAll(tell(t, dir, part["domain"], part["ask"]), dir, "$DIR")
	want := strings.ReplaceAll(part["says"], dir, "$DIR")
	if got == want {
		return
	}
	t.Errorf("got:\n%s\nwant:\n%s", got, want)
	if os.Getenv("UPDATE") != "" {
		last := &story.Files[len(story.Files)-1]
		last.Name, last.Data = "says", []byte(got)
		if err := os.WriteFile(name, txtar.Format(story), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// tell loads the domain and prints what it answers, or what is wrong.
func tell(t *testing.T, dir, settings, ask string) string {
	d := filedir.Domain{Name: "example.org", Tags: "+", Origin: mail.Origin{File: "main.hcl", Line: 1, Column: 8}}
	for line := range strings.Lines(settings) {
		words := strings.Fields(line)
		files := make([]filedir.File, len(words)-1)
		for i, w := range words[1:] {
			files[i] = filedir.File{Name: filepath.Join(dir, w), Origin: d.Origin}
		}
		switch words[0] {
		case "mailboxes":
			d.Mailboxes = words[1:]
		case "mailbox_files":
			d.MailboxFiles = files
		case "aliases":
			d.AliasFiles = files
		case "catch_all":
			d.CatchAll = path(t, words[1])
		case "postmaster":
			d.Postmaster = path(t, words[1])
		case "forward":
			d.Forwards = append(d.Forwards, filedir.Forward{Name: words[1], To: path(t, words[2]), Refuse: words[3] == "551", Origin: d.Origin})
		case "unix_aliases":
			d.Unix.AliasFiles = files
		case "unix_include":
			for _, f := range files {
				d.Unix.Include = append(d.Unix.Include, f.Name)
			}
		case "unix_pipes":
			d.Unix.Pipes = true
		case "unix_files":
			d.Unix.Files = true
		default:
			t.Fatalf("unknown setting %q", words[0])
		}
	}
	loaded, err := filedir.Load(t.Context(), filedir.Options{Domains: []filedir.Domain{d}, Hostname: "mx.example.net"})
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for line := range strings.Lines(ask) {
		r, err := loaded.Lookup(t.Context(), path(t, strings.TrimSpace(line)))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(directorytest.Text(r) + " (" + r.Origin.String() + ")\n")
		for _, to := range r.To {
			if to.Into != "" {
				b.WriteString("\t{" + to.Into + "} (" + to.Origin.String() + ")\n")
			}
		}
	}
	return b.String()
}

// storyFiles returns the texts of a story, as seeds.
func storyFiles(tb testing.TB, name string) []string {
	story, err := txtar.ParseFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	var all []string
	for _, f := range story.Files {
		all = append(all, strings.ReplaceAll(string(f.Data), "$DIR", ""))
	}
	return all
}
