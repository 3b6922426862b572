package scenario_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/posthouse/posthouse/internal/scenario"
)

// TestStories plays each scenario of testdata: a line of "happens" is what happens, after
// so many seconds: "+SECONDS STEP from=a to=b client=c login=d". UPDATE=1 writes anew what
// follows.
func TestStories(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("no stories")
	}
	for _, name := range files {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := scenario.ParseFile("story.hcl", a.Files[0].Data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s, err := scenario.New(f.All)
		if err != nil {
			t.Fatal(err)
		}
		got := play(t, s.Play(), string(a.Files[1].Data))
		if os.Getenv("UPDATE") != "" {
			a.Files = append(a.Files[:2], txtar.File{Name: "follows", Data: []byte(got)})
			if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(string(a.Files[2].Data), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func play(t *testing.T, p *scenario.Play, story string) string {
	t.Helper()
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	var b strings.Builder
	for line := range strings.Lines(story) {
		words := strings.Fields(line)
		later, err := time.ParseDuration(strings.TrimPrefix(words[0], "+") + "s")
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(later)
		e := scenario.Event{Step: scenario.Step(words[1]), Client: "192.0.2.1"}
		for _, w := range words[2:] {
			key, value, _ := strings.Cut(w, "=")
			switch key {
			case "from":
				e.From = value
			case "to":
				e.To = append(e.To, value)
			case "client":
				e.Client = value
			case "login":
				e.Login = value
			default:
				t.Fatalf("what is %s?", w)
			}
		}
		fmt.Fprintf(&b, "%s -> %s\n", strings.TrimSpace(line), tell(p.At(now, e)))
	}
	return b.String()
}

func tell(v scenario.Verdict) string {
	if v.Rule == 0 {
		return "as always"
	}
	s := fmt.Sprintf("rule %d:", v.Rule)
	if v.Delay > 0 {
		s += fmt.Sprintf(" wait %v,", v.Delay)
	}
	if v.Trickle > 0 {
		s += fmt.Sprintf(" trickle %v,", v.Trickle)
	}
	if v.Certificate != "" {
		s += fmt.Sprintf(" %s certificate,", v.Certificate)
	}
	switch {
	case v.Drop:
		s += " cut"
	case v.Reply != nil:
		s += " " + v.Reply.Error()
	default:
		s += " go on"
	}
	return s
}

// TestProblems: what makes no sense is refused, with its line, in words.
func TestProblems(t *testing.T) {
	for text, want := range map[string]string{
		`on "rcpt" {}`:                                      "story.hcl:1:1: nothing happens",
		`on "bang" { drop = true }`:                         `"bang" is no step`,
		`on "rcpt" { reply = "fine" }`:                      `does not begin with a code, as "450 4.2.0 Later" does`,
		`on "mail" { reply = "251 fine" }`:                  "251 may not come at the step mail",
		`on "data" { reply = "250 fine" }`:                  "250 may not come at the step data",
		`on "auth" { reply = "334 more" }`:                  "334 may not come at the step auth",
		`on "data" { reply = "556 no" }`:                    "556 may not come at the step data",
		`on "rcpt" { reply = 450 }`:                         "story.hcl:1:13: reply wants a text in quotes",
		`on "rcpt" { drop = "yes" }`:                        "drop is true or false",
		`on "rcpt" { tries = "0" }`:                         `"0" is none of "2", "2-3" and "2-"`,
		`on "rcpt" { tries = "3-2" }`:                       "is none of",
		`on "rcpt" { delay = "1h" }`:                        "of 10m0s at most",
		`on "rcpt" { trickle = "0s" }`:                      "is no time",
		`on "dot" { greylist = "5m" }`:                      "greylist belongs to the step rcpt",
		`on "mail" { certificate = "expired" }`:             "certificate belongs to the step starttls",
		`on "starttls" { certificate = "ugly" }`:            `not "ugly"`,
		"on \"mail\" {\n  to = \"a\"\n  drop = true\n}":     "no recipient is known at the step mail",
		"on \"connect\" {\n  from = \"a\"\n drop = true\n}": "no sender is known",
		`on "mail" { rate = "10" }`:                         "is not of the form",
		`on "mail" { rate = "0/1m" }`:                       "is not of the form",
		`on "mail" { pigs = "fly" }`:                        "pigs is no setting",
		`on "mail" { drop = nope }`:                         "drop: ",
		`inbox "x" { drop = true }`:                         "story.hcl:1:13",
		`on {`:                                              "story.hcl:1",
	} {
		_, err := scenario.ParseFile("story.hcl", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	f, err := scenario.ParseFile("x", []byte("inbox \"a\" {\n  on \"dot\" { drop = true }\n}\non \"mail\" { delay = \"1s\" }\n"))
	if err != nil || len(f.Inboxes["a"]) != 1 || !f.Inboxes["a"][0].Drop || f.All[0].Delay != "1s" {
		t.Errorf("%+v, %v", f, err)
	}
}

// FuzzParseFile: whatever the file, it is understood or refused, and what was understood
// can be played.
func FuzzParseFile(f *testing.F) {
	for _, s := range []string{"", `on "rcpt" { reply = "450 4.2.0 x" }`, `inbox "a" { on "dot" { drop = true } }`, `on "mail" { rate = "1/1s" }`, `on "rcpt" { to = "*a*b*" }`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := scenario.ParseFile("f", []byte(text))
		if err != nil {
			return
		}
		s, err := scenario.New(file.All)
		if err != nil {
			t.Fatal(err)
		}
		p := s.Play()
		for _, step := range scenario.Steps {
			p.At(time.Unix(0, 0), scenario.Event{Step: step, To: []string{"a@b"}})
		}
	})
}
