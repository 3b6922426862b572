package policy_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/smtp"
)

var update = flag.Bool("update", false, "write what was told into the stories")

// A story has lines of these forms, and under a line "told" what came of them:
//
//	limit DOMAIN|* ACTION              what a domain, or the listener, allows at most
//	opinion CHECK STAGE ACTION [firm]  what a check says, and wants
//	result CHECK METHOD VERDICT        what it finds at the final dot
//	edit CHECK OP NAME AT VALUE        what it changes then: append, insert, replace, remove, top, body
//	rcpt ADDRESS                       who is given
//	text                               the lines of the message follow, each after "| "

func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { tell(t, file) })
	}
}

func tell(t *testing.T, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	story, want, _ := strings.Cut(string(b), "\ntold\n")
	got := newStory(t, story).run()
	if *update {
		if err := os.WriteFile(file, []byte(story+"\ntold\n"+got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

type story struct {
	*testing.T
	panel policy.Panel
	named map[string]*check
	to    []smtp.Path
	text  content
	told  strings.Builder
}

func newStory(t *testing.T, text string) *story {
	s := &story{T: t, named: map[string]*check{}}
	limits := map[string]*policy.Limit{}
	s.panel.Hostname = "mx.sohu.example"
	s.panel.AtMost = func(to smtp.Path) *policy.Limit { return limits[to.Domain()] }
	for n, line := range strings.Split(text, "\n") {
		if body, is := strings.CutPrefix(line, "|"); is {
			s.text += content(strings.TrimPrefix(body, " ") + "\r\n")
			continue
		}
		w := strings.Fields(line)
		if len(w) == 0 || w[0] == "#" {
			continue
		}
		switch w[0] {
		case "limit":
			l := &policy.Limit{Action: action(t, w[2]), Origin: mail.Origin{File: "main.hcl", Line: n + 1, Column: 1}}
			if w[1] == "*" {
				s.panel.Limit = l
			} else {
				limits[w[1]] = l
			}
		case "opinion":
			s.check(w[1]).at(w[2]).Action = action(t, w[3])
			s.check(w[1]).at(w[2]).Firm = len(w) > 4
		case "result":
			o := s.check(w[1]).at("DATA")
			o.Results = append(o.Results, senderauth.MethodResult{Method: w[2], Verdict: senderauth.Verdict(w[3])})
		case "edit":
			s.check(w[1]).edit(t, w[2:])
		case "rcpt":
			s.to = append(s.to, path(t, w[1]))
		default:
			t.Fatalf("line %d: %q", n+1, line)
		}
	}
	return s
}

func action(t *testing.T, word string) policy.Action {
	for a := policy.Pass; a <= policy.Reject; a++ {
		if a.String() == word {
			return a
		}
	}
	t.Fatalf("no action %q", word)
	return 0
}

func path(t *testing.T, s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *story) check(name string) *check {
	if s.named[name] == nil {
		s.named[name] = &check{name: name, says: map[string]*policy.Opinion{}}
		s.panel.Checks = append(s.panel.Checks, s.named[name])
	}
	return s.named[name]
}

// check says what the story wants. It is its own session.
type check struct {
	name         string
	says         map[string]*policy.Opinion
	saw          string // the text, at DATA
	resets, ends int
}

func (c *check) at(stage string) *policy.Opinion {
	if c.says[stage] == nil {
		c.says[stage] = &policy.Opinion{}
	}
	return c.says[stage]
}

func (c *check) edit(t *testing.T, w []string) {
	e := &c.at("DATA").Edits
	value := strings.ReplaceAll(strings.Join(w[min(3, len(w)):], " "), `\n`, "\n")
	ops := map[string]policy.FieldOp{"append": policy.AppendField, "insert": policy.InsertField, "replace": policy.ReplaceField, "remove": policy.RemoveField}
	switch op, known := ops[w[0]]; {
	case w[0] == "top":
		e.Top = append(e.Top, policy.Field{Name: w[1], Value: value})
	case w[0] == "body":
		e.Body = content(strings.Join(w[1:], " ") + "\r\n")
	case w[0] == "from":
		p := path(t, w[1])
		e.From = &p
	case w[0] == "add":
		e.AddTo = append(e.AddTo, smtp.Rcpt{To: path(t, w[1])})
	case !known:
		t.Fatalf("no edit %q", w[0])
	default:
		f := policy.FieldEdit{Op: op, Field: policy.Field{Name: w[1], Value: value}}
		fmt.Sscan(w[2], &f.At)
		e.Fields = append(e.Fields, f)
	}
}

func (c *check) Name() string                      { return c.name }
func (c *check) Open(*policy.Visit) policy.Session { return c }
func (c *check) Reset()                            { c.resets++ }
func (c *check) Close()                            { c.ends++ }

func (c *check) say(stage string) policy.Opinion {
	if o := c.says[stage]; o != nil {
		return *o
	}
	return policy.Opinion{}
}

func (c *check) Connect(context.Context, *policy.Visit) policy.Opinion { return c.say("CONNECT") }
func (c *check) Hello(context.Context, *policy.Visit) policy.Opinion   { return c.say("EHLO") }
func (c *check) Mail(context.Context, *policy.Visit) policy.Opinion    { return c.say("MAIL") }
func (c *check) Rcpt(context.Context, *policy.Visit, *smtp.Rcpt) policy.Opinion {
	return c.say("RCPT")
}

func (c *check) Data(_ context.Context, _ *policy.Visit, text *policy.Text) policy.Opinion {
	c.saw = read(text)
	return c.say("DATA")
}

func read(c mail.Content) string {
	r, err := c.Open()
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	if int64(len(b)) != c.Size() {
		return fmt.Sprintf("%d octets, but Size is %d", len(b), c.Size())
	}
	return string(b)
}

type content string

func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}
func (c content) Size() int64 { return int64(len(c)) }

// run plays the story on one connection, and says what came of it.
func (s *story) run() string {
	ctx := context.Background()
	v := &policy.Visit{Source: mail.Source{Hello: "client.example"}}
	h := s.panel.Open(v)
	defer s.closed(h)
	if s.refused("connect", h.Connect(ctx, v)) || s.refused("mail", h.Mail(ctx, v)) {
		return s.told.String()
	}
	for _, to := range s.to {
		if !s.refused("rcpt "+to.String(), h.Rcpt(ctx, v, &smtp.Rcpt{To: to})) {
			v.To = append(v.To, to)
		}
	}
	if len(v.To) == 0 {
		return s.told.String()
	}
	verdict, err := h.Data(ctx, v, s.text)
	if !s.refused("data", err) {
		s.taken(v, verdict)
	}
	return s.told.String()
}

// closed holds that each check heard of the end of everything, once.
func (s *story) closed(h *policy.Hearing) {
	h.Close()
	for _, c := range s.named {
		if c.ends != 1 || c.resets > 1 {
			s.Errorf("%s: %d resets, %d ends", c.name, c.resets, c.ends)
		}
	}
}

func (s *story) refused(what string, err error) bool {
	if err == nil {
		fmt.Fprintf(&s.told, "%s: ok\n", what)
		return false
	}
	fmt.Fprintf(&s.told, "%s: %v\n", what, err)
	return true
}

func (s *story) taken(v *policy.Visit, d *policy.Verdict) {
	fmt.Fprintf(&s.told, "done: %s\n", d.Action)
	for i, junk := range d.Junk {
		if junk {
			fmt.Fprintf(&s.told, "junk: %s\n", v.To[i])
		}
	}
	for _, o := range d.Opinions {
		fmt.Fprintf(&s.told, "said: %s at %s wants %s", o.Check, o.Stage, o.Action)
		if o.Limited != nil {
			fmt.Fprintf(&s.told, ", at most %s by %s", o.Limited.Action, o.Limited.Origin)
		}
		s.told.WriteString("\n")
	}
	for _, c := range d.Changed {
		fmt.Fprintf(&s.told, "changed: %s\n", c)
	}
	s.told.WriteString(indented(string(d.Top)))
	if d.Text != nil {
		s.told.WriteString("text:\n" + indented(read(d.Text)))
	}
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("| " + strings.ReplaceAll(line, "\r\n", "\n"))
	}
	return b.String()
}
