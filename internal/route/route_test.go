package route_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/smtp"
)

const file = "testdata/rules.txt"

// TestRules plays testdata/rules.txt, which says how it is written.
func TestRules(t *testing.T) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s sheet
	for line := range strings.SplitSeq(string(text), "\n") {
		words := fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "--":
			s.check(t)
			s = sheet{}
		case words[0] == "rule":
			s.rules = append(s.rules, rule(t, len(s.rules)+1, words[1:]))
		case words[0] == "->", words[0] == "problem:":
			s.want = append(s.want, line)
		default:
			s.want = append(s.want, line)
			s.questions = append(s.questions, question(t, words))
		}
	}
	s.check(t)
}

// sheet is one table and what is asked of it.
type sheet struct {
	rules     []route.Rule
	questions []route.Question
	want      []string
}

func (s *sheet) check(t *testing.T) {
	t.Helper()
	table, err := route.New(s.rules)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	next := 0
	for _, w := range s.want {
		if strings.HasPrefix(w, "->") || strings.HasPrefix(w, "problem:") {
			continue
		}
		got = append(got, w)
		q := s.questions[next]
		next++
		steps := table.Explain(q)
		for _, step := range steps {
			got = append(got, "-> "+step.String())
		}
		hop, ok := table.Route(q)
		if last := steps[len(steps)-1]; hop != last.Hop || ok != (last.Failed == route.None) {
			t.Errorf("%s: Route says %v %v, Explain %v", w, hop, ok, last)
		}
	}
	for _, p := range table.Problems() {
		got = append(got, "problem: "+p.String())
	}
	if g, w := strings.Join(got, "\n"), strings.Join(s.want, "\n"); g != w {
		t.Errorf("got:\n%s\nwant:\n%s", g, w)
	}
}

// fields splits at spaces, but for those in quotes.
func fields(line string) []string {
	quoted := false
	return strings.FieldsFunc(line, func(r rune) bool {
		quoted = quoted != (r == '"')
		return r == ' ' && !quoted
	})
}

func rule(t *testing.T, number int, words []string) route.Rule {
	t.Helper()
	r := route.Rule{Name: words[0], Origin: mail.Origin{File: "rules.txt", Line: number, Column: 1}}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		list := strings.Split(value, ",")
		switch name {
		case "to":
			r.To = patterns(t, list)
		case "from":
			r.From = patterns(t, list)
		case "source":
			for _, s := range list {
				r.Source = append(r.Source, netip.MustParsePrefix(s))
			}
		case "login":
			r.Login = list
		case "hosts":
			r.Way.Hosts = list
		case "mailbox":
			r.Way.Mailbox = true
		case "at":
			r.Way.Destination = value
		default:
			r.Way.Transport = w
		}
	}
	return r
}

func patterns(t *testing.T, list []string) []route.Pattern {
	t.Helper()
	var all []route.Pattern
	for _, s := range list {
		p, err := route.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func question(t *testing.T, words []string) route.Question {
	t.Helper()
	q := route.Question{To: path(t, words[0])}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "from":
			q.From = path(t, value)
		case "source":
			q.Source = netip.MustParseAddr(value)
		case "login":
			q.Login = value
		}
	}
	return q
}

func path(t testing.TB, s string) smtp.Path {
	t.Helper()
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParsePatternRefuses(t *testing.T) {
	for _, s := range []string{
		"", ".", "..a", "a..b", "a b", "*@a.test", "x@*.test", "x@", "@a", "a\r\nb", ".*a", "例*.test", "a<b", "[1.2.3]", "*,*", "*\n", "-a*",
	} {
		if p, err := route.ParsePattern(s); err == nil {
			t.Errorf("%q is read as %#v", s, p)
		} else if strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%q: the error is more than a line: %q", s, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	at := mail.Origin{File: "f", Line: 1, Column: 2}
	for _, w := range []route.Way{{}, {Transport: "x", Mailbox: true, Destination: "y"}, {Transport: "x", Hosts: []string{"a"}, Mailbox: true}} {
		if _, err := route.New([]route.Rule{{Name: "r", Origin: at, Way: w}}); err == nil || !strings.HasPrefix(err.Error(), "f:1:2: ") {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

func TestAsk(t *testing.T) {
	e := &mail.Envelope{
		From: path(t, "a@b.test"), To: []mail.Recipient{{To: path(t, "x@y.test")}, {To: path(t, "z@y.test")}},
		Source: mail.Source{Client: netip.MustParseAddrPort("[::ffff:192.0.2.1]:25"), Login: "jane"},
	}
	want := route.Question{To: path(t, "z@y.test"), From: path(t, "a@b.test"), Source: netip.MustParseAddr("192.0.2.1"), Login: "jane"}
	if got := route.Ask(e, 1); got != want {
		t.Errorf("%+v", got)
	}
}

// TestManyRules: ten thousand domains are neither walked for each recipient nor
// held against each other.
func TestManyRules(t *testing.T) {
	var rules []route.Rule
	var domains []string
	for i := range 10_000 {
		d := fmt.Sprintf("d%d.test", i)
		domains = append(domains, d)
		rules = append(rules, route.Rule{Name: d, To: patterns(t, []string{d}), Way: route.Way{Transport: "maildir", Mailbox: true}})
	}
	rules = append(rules, route.Rule{Name: "together", To: patterns(t, domains), Way: route.Way{Transport: "remote"}})
	table, err := route.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	if steps := table.Explain(route.Question{To: path(t, "x@d9999.test")}); len(steps) != 1 || steps[0].Route != "d9999.test" {
		t.Errorf("%v", steps)
	}
	problems := table.Problems()
	if len(problems) != 1 || problems[0].Pattern != "" || problems[0].ByRoute != "d0.test" {
		t.Errorf("%d problems", len(problems))
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a.test", ".a.test", "*.a", "m*x.a.*", "<>", "*", "j@a.test", "[192.0.2.1]", `"a b"@c`} {
		f.Add(s, "x.a.test", s)
	}
	f.Fuzz(func(t *testing.T, pattern, domain, other string) {
		p, err := route.ParsePattern(pattern)
		if err != nil {
			return
		}
		if again, err := route.ParsePattern(p.String()); err != nil || again != p {
			t.Fatalf("%q: %v, %v", pattern, again, err)
		}
		q, err := route.ParsePattern(other)
		if err != nil {
			return
		}
		// What the second rule gets, the first must not cover.
		table, err := route.New([]route.Rule{
			{Name: "p", To: []route.Pattern{p}, Way: route.Way{Transport: "x"}},
			{Name: "q", To: []route.Pattern{q}, Way: route.Way{Transport: "x"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		to, err := smtp.ParseMailbox("j@" + domain)
		if err != nil {
			return
		}
		if hop, ok := table.Route(route.Question{To: to}); ok && hop.Route == "q" && len(table.Problems()) > 0 {
			t.Errorf("%q gets j@%s, and yet %v", other, domain, table.Problems())
		}
	})
}

func ExampleTable_Explain() {
	local, _ := route.ParsePattern("example.org")
	table, err := route.New([]route.Rule{
		{Name: "local", To: []route.Pattern{local}, Way: route.Way{Transport: "maildir", Mailbox: true}, Origin: mail.Origin{File: "main.hcl", Line: 4, Column: 1}},
		{Name: "default", Way: route.Way{Transport: "remote"}},
	})
	if err != nil {
		panic(err)
	}
	to, _ := smtp.ParseMailbox("jane@example.net")
	for i, step := range table.Explain(route.Question{To: to}) {
		fmt.Printf("%d. %s\n", i+1, step)
	}
	// Output:
	// 1. route "default" fits: remote carries it to example.net (built in)
}
