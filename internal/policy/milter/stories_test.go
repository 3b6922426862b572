package milter

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
)

var update = flag.Bool("update", false, "write what is expected anew")

// TestStories: in each file of testdata a client does what "client" says, a program answers as
// "program" says (see program), and "heard" and "says" are what it hears, and what we say of the
// mail then. The first line of "client" may be the settings: failure=reject listeners=a,b.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d stories, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]*txtar.File{}
			for i := range a.Files {
				parts[a.Files[i].Name] = &a.Files[i]
			}
			var heard, says string
			synctest.Test(t, func(t *testing.T) {
				heard, says = play(t, string(parts["program"].Data), string(parts["client"].Data))
			})
			if *update {
				parts["heard"].Data, parts["says"].Data = []byte(heard), []byte(says)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(parts["heard"].Data); heard != want {
				t.Errorf("heard is\n%s\nwant\n%s", heard, want)
			}
			if want := string(parts["says"].Data); says != want {
				t.Errorf("says is\n%s\nwant\n%s", says, want)
			}
		})
	}
}

// client is the client of a story.
type client struct {
	t       *testing.T
	m       *Milter
	session policy.Session
	v       *policy.Visit
	says    strings.Builder
}

func play(t *testing.T, script, steps string) (heard, says string) {
	p := newProgram(t, script)
	o := Options{
		Name: "test", Network: "tcp", Address: "127.0.0.1:1", Hostname: "mx.sohu.test", Dial: p.dial,
		Connect: time.Second, Command: 2 * time.Second, Content: 4 * time.Second, End: 8 * time.Second,
		Failure: policy.Defer, Origin: mail.Origin{File: "main.hcl", Line: 7, Column: 3}, BodySize: 100_000,
	}
	c := &client{t: t}
	for line := range strings.Lines(steps) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "=") && c.m == nil {
			settings(&o, line)
			continue
		}
		if c.m == nil {
			c.m = New(o)
			c.begin()
		}
		c.step(line)
	}
	c.session.Close()
	if err := c.m.Close(); err != nil {
		t.Error(err)
	}
	p.work.Wait()
	for _, on := range p.heard {
		heard += on.String()
	}
	return heard, c.says.String()
}

func settings(o *Options, line string) {
	for _, s := range strings.Fields(line) {
		name, value, _ := strings.Cut(s, "=")
		switch name {
		case "failure":
			o.Failure = map[string]policy.Action{"pass": policy.Pass, "reject": policy.Reject, "quarantine": policy.Quarantine}[value]
		case "listeners":
			o.Listeners = strings.Split(value, ",")
		default:
			panic(line)
		}
	}
}

func (c *client) begin() {
	c.session = c.m.Open(nil)
	c.v = &policy.Visit{
		Source: mail.Source{Listener: "smtp", Client: netip.MustParseAddrPort("[::ffff:192.0.2.1]:1024")},
		Local:  netip.MustParseAddrPort("198.51.100.1:25"),
	}
}

const letter = "Received: from a\r\n by b\r\nSubject:  two  spaces\r\nX-Odd:none\r\n\r\nHello.\r\nBye.\r\n"

// content is a message in memory.
type content string

func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}
func (c content) Size() int64 { return int64(len(c)) }

func (c *client) step(line string) {
	word, rest, _ := strings.Cut(line, " ")
	ctx := c.t.Context()
	var o policy.Opinion
	switch word {
	case "":
		return
	case "connect":
		o = c.session.Connect(ctx, c.v)
	case "hello":
		c.v.Source.Hello, c.v.Source.TLS = rest, "TLS 1.3 TLS_AES_128_GCM_SHA256"
		o = c.session.Hello(ctx, c.v)
	case "login":
		c.v.Source.Login = rest
		return
	case "mail":
		c.v.From, c.v.Params, c.v.To = c.path(rest), smtp.MailParams{Size: 1000, Body: smtp.Body8Bit}, nil
		o = c.session.Mail(ctx, c.v)
	case "rcpt":
		c.v.ID = mail.ID{1}
		to := smtp.Rcpt{To: c.path(rest), Params: smtp.RcptParams{Notify: smtp.NotifyNever}}
		if o = c.session.Rcpt(ctx, c.v, &to); o.Action == policy.Pass {
			c.v.To = append(c.v.To, to.To)
		}
	case "data", "largedata", "lostdata":
		o = c.data(ctx, word)
	case "reset":
		c.session.Reset()
		return
	case "again": // another client comes
		c.session.Close()
		c.begin()
		return
	case "later":
		d, err := time.ParseDuration(rest)
		if err != nil {
			c.t.Fatal(err)
		}
		time.Sleep(d)
		return
	default:
		c.t.Fatalf("there is no step %q", line)
	}
	c.tell(line, &o)
}

func (c *client) data(ctx context.Context, word string) policy.Opinion {
	text := letter
	if word == "largedata" {
		text += strings.Repeat("0123456789abcde\r\n", 10_000)
	}
	t, err := policy.ReadText(content(text))
	if err != nil {
		c.t.Fatal(err)
	}
	if word == "lostdata" {
		lost, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		ctx = lost
	}
	return c.session.Data(ctx, c.v, t)
}

func (c *client) path(s string) smtp.Path {
	if s == "<>" {
		return smtp.Path{}
	}
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// tell writes an opinion down.
func (c *client) tell(line string, o *policy.Opinion) {
	w := &c.says
	fmt.Fprintf(w, "%s: %s", line, o.Action)
	if o.Firm {
		w.WriteString(", firm")
	}
	if o.Reason != "" {
		fmt.Fprintf(w, ", %s", o.Reason)
	}
	if o.Reply != nil {
		fmt.Fprintf(w, " <%s>", o.Reply.Error())
	}
	if o.Origin.File != "" {
		fmt.Fprintf(w, " (%s)", o.Origin)
	}
	w.WriteString("\n")
	e := &o.Edits
	for _, f := range e.Top {
		fmt.Fprintf(w, "  on top %s: %q\n", f.Name, f.Value)
	}
	for _, f := range e.Fields {
		fmt.Fprintf(w, "  %s %d %s: %q\n", [...]string{"append", "insert", "replace", "remove"}[f.Op], f.At, f.Name, f.Value)
	}
	if e.Body != nil {
		c.tellBody(e.Body)
	}
	if e.From != nil {
		fmt.Fprintf(w, "  from <%s>\n", e.From)
	}
	for _, r := range e.AddTo {
		fmt.Fprintf(w, "  add <%s>\n", r.To)
	}
	for _, r := range e.RemoveTo {
		fmt.Fprintf(w, "  remove <%s>\n", r)
	}
}

func (c *client) tellBody(body mail.Content) {
	r, err := body.Open()
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil || int64(len(text)) != body.Size() {
		c.t.Errorf("a body of %d octets, and not %d: %v", len(text), body.Size(), err)
	}
	if len(text) > 100 {
		fmt.Fprintf(&c.says, "  body of %d octets\n", len(text))
		return
	}
	fmt.Fprintf(&c.says, "  body %q\n", text)
}
