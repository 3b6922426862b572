package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/posthouse/posthouse/internal/config"
)

// problemsFile is played by TestProblems, which writes it anew if UPDATE is set.
const problemsFile = "testdata/problems.txtar"

func TestProblems(t *testing.T) {
	sheet, err := txtar.ParseFile(problemsFile)
	if err != nil {
		t.Fatal(err)
	}
	var files []txtar.File
	for _, f := range sheet.Files {
		name, ok := strings.CutSuffix(f.Name, ".hcl")
		if !ok {
			continue
		}
		got := []byte(problems("main.hcl", f.Data, config.Options{}))
		i := slices.IndexFunc(sheet.Files, func(w txtar.File) bool { return w.Name == name+".says" })
		switch {
		case len(got) == 0:
			t.Errorf("%s: nothing is wrong", name)
		case i < 0 || string(sheet.Files[i].Data) != string(got):
			t.Errorf("%s: got\n%s", name, got)
		}
		files = append(files, f, txtar.File{Name: name + ".says", Data: got})
	}
	if os.Getenv("UPDATE") != "" {
		sheet.Files = files
		if err := os.WriteFile(problemsFile, txtar.Format(sheet), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// problems prints what is wrong with a file, as a person sees it.
func problems(name string, src []byte, o config.Options) string {
	_, err := config.Parse(name, src, o)
	if err == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range err.(config.Problems) {
		fmt.Fprintf(&b, "%s\n%s", p.Error(), p.Excerpt())
	}
	return b.String()
}

// parse reads what must be right.
func parse(t *testing.T, text string, o config.Options) *config.Config {
	t.Helper()
	c, err := config.Parse("/etc/posthouse/main.hcl", []byte(text), o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return c
}

func example(t *testing.T, name string) *config.Config {
	t.Helper()
	text, ok := config.Example(name)
	if !ok {
		t.Fatalf("there is no example %q", name)
	}
	return parse(t, text, config.Options{})
}

// written is the number of lines that are neither empty nor a comment.
func written(name string) int {
	text, _ := config.Example(name)
	n := 0
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			n++
		}
	}
	return n
}

func TestASixLineFileIsASecureMX(t *testing.T) {
	c := example(t, "mx")
	if n := written("mx"); n > 6 {
		t.Errorf("it has %d lines", n)
	}
	if len(c.Listen) != 1 || c.Listen[0].TLS.Value != "offer" || c.Listen[0].Address.Value[0] != ":25" {
		t.Errorf("listens at %+v", c.Listen)
	}
	if len(c.Relay.Networks.Value)+len(c.Relay.Domains.Value) != 0 {
		t.Errorf("relays for %+v", c.Relay)
	}
	if r, ok := c.Route(c.Domains[0].Deliver.Value); !ok || r.Transport != config.Maildir || !r.ByName {
		t.Errorf("delivers to %+v", r)
	}
	if r := c.Routes[len(c.Routes)-1]; r.Transport != config.Remote || r.TLS.Value != "opportunistic" {
		t.Errorf("the last route is %+v", r)
	}
}

func TestAFiveLineFileIsANullClient(t *testing.T) {
	c := example(t, "null-client")
	if n := written("null-client"); n > 5 {
		t.Errorf("it has %d lines", n)
	}
	if len(c.Routes) != 1 || c.Routes[0].Transport != config.Smarthost || c.Routes[0].TLS.Value != "require" {
		t.Errorf("routes %+v", c.Routes)
	}
	if len(c.Domains) != 0 {
		t.Errorf("domains %+v", c.Domains)
	}
}

// TestShowSaysWhatWasRead: what Show prints of each example is a configuration,
// and the same.
func TestShowSaysWhatWasRead(t *testing.T) {
	for _, name := range config.Examples() {
		c := example(t, name)
		first := show(t, c)
		again := parse(t, first, config.Options{})
		if diff := cmp.Diff(withoutOrigins(first), withoutOrigins(show(t, again))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if !strings.Contains(first, "# /etc/posthouse/main.hcl:") || !strings.Contains(first, "# built in") {
			t.Errorf("%s: no origins in\n%s", name, first)
		}
	}
}

func show(t *testing.T, c *config.Config) string {
	t.Helper()
	var b strings.Builder
	if err := c.Show(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var comment = regexp.MustCompile(`(?m) +# .*$`)

func withoutOrigins(s string) string { return comment.ReplaceAllString(s, "") }

// TestTheFullExampleIsTheReference: it has every setting there is, and the
// values that it calls defaults are those that hold without it.
func TestTheFullExampleIsTheReference(t *testing.T) {
	text, _ := config.Example("full")
	full, bare := example(t, "full"), parse(t, `hostname = "mx.example.org"`, config.Options{})
	for _, e := range full.Entries() {
		if !regexp.MustCompile(`\b`+e.Setting+` += `).MatchString(text) && !strings.Contains(text, "or "+e.Setting+" =") {
			t.Errorf("%s is not in the example", e.Setting)
		}
	}
	values := map[string]any{}
	for _, e := range bare.Entries() {
		values[fmt.Sprint(e.Blocks, e.Setting)] = e.Value
	}
	defaulted := []string{"data", "retry", "expire", "warn", "limits", "queue", "spool", "journal", "reports", `route "default"`}
	for _, e := range full.Entries() {
		place := e.Setting
		if len(e.Blocks) > 0 {
			place = e.Blocks[0]
		}
		if !slices.Contains(defaulted, place) {
			continue
		}
		if want := values[fmt.Sprint(e.Blocks, e.Setting)]; !reflect.DeepEqual(e.Value, want) {
			t.Errorf("%v %s is %v in the example, the default is %v", e.Blocks, e.Setting, e.Value, want)
		}
	}
}

func TestEveryValueKnowsItsLine(t *testing.T) {
	c := parse(t, "hostname = \"mx.example.org\"\nexpire = \"2d\"\nlimits {\n  errors = 5\n}\nlisten \"smtp\" {\n  limits {\n    idle = \"1m\"\n  }\n}\nroute \"out\" {\n\tsmarthost = [\"[2001:db8::1]:25\"]\n  warn = \"none\"\n}\n", config.Options{})
	l, r := c.Listen[0], c.Routes[0]
	for _, x := range []struct{ got, want any }{
		{c.Hostname.Origin.String(), "/etc/posthouse/main.hcl:1:1"},
		{c.Journal.Keep.Origin.String(), "built in"},
		{c.Journal.Keep.Value, 30 * 24 * time.Hour},
		{l.Limits.Errors.Value, 5}, // that of the file holds
		{l.Limits.Errors.Origin.String(), "/etc/posthouse/main.hcl:4:3"},
		{l.Limits.Idle.Value, time.Minute},
		{l.Limits.Idle.Origin.String(), "/etc/posthouse/main.hcl:8:5"},
		{c.Limits.Idle.Value, 5 * time.Minute},
		{r.Origin.String(), "/etc/posthouse/main.hcl:11:7"},
		{r.Smarthost.Value[0], "[2001:db8::1]:25"},
		{r.Smarthost.Origin.String(), "/etc/posthouse/main.hcl:12:2"},
		{r.Expire.Value, 48 * time.Hour},
		{r.Expire.Origin.String(), "/etc/posthouse/main.hcl:2:1"},
		{int(r.Warn.Value), config.None},
	} {
		if x.got != x.want {
			t.Errorf("%v, want %v", x.got, x.want)
		}
	}
}

func TestOnlyNamedEnvironmentVariablesAreRead(t *testing.T) {
	env := map[string]string{"PORT": "2626", "HOSTNAME": "wrong.example", "ODD": `a"${x}`}
	asked := []string{}
	o := config.Options{Env: func(name string) (string, bool) {
		asked = append(asked, name)
		v, ok := env[name]
		return v, ok
	}}
	c := parse(t, `
hostname = env("NAME", "mx.example.org")
data     = "/srv/${env("ODD")}"
route "out" { smarthost = "127.0.0.1:${env("PORT")}" }
`, o)
	if got := c.Routes[0].Smarthost.Value[0]; got != "127.0.0.1:2626" {
		t.Errorf("smarthost %s", got)
	}
	if c.Hostname.Value != "mx.example.org" || c.Data.Value != `/srv/a"${x}` {
		t.Errorf("hostname %s, data %s", c.Hostname.Value, c.Data.Value)
	}
	if slices.Sort(asked); !slices.Equal(asked, []string{"NAME", "ODD", "PORT"}) {
		t.Errorf("asked for %q", asked)
	}
	if got := parse(t, show(t, c), config.Options{}); got.Data.Value != c.Data.Value {
		t.Errorf("shown as %s", got.Data.Value)
	}
}

// TestPagesHaveCertificates: who gets certificates and has pages gets those for their names,
// unless he names others.
func TestPagesHaveCertificates(t *testing.T) {
	const text = `
hostname = "mx.example.org"
listen "submission" {}
relay { networks = "127.0.0.0/8" }
domain "example.org" {
	mailboxes = "jane"
	also      = "example.net"
}
domain "example.com" {
	mailboxes = "joe"
	mta_sts   = "none"
}
`
	for blocks, want := range map[string]string{
		"":         "mx.example.org",
		"https {}": "mx.example.org mta-sts.example.org mta-sts.example.net",
		"https { imap = \"i.example.org\" }": "mx.example.org mta-sts.example.org autoconfig.example.org autodiscover.example.org " +
			"mta-sts.example.net autoconfig.example.net autodiscover.example.net autoconfig.example.com autodiscover.example.com",
	} {
		if blocks == "" {
			c := parse(t, strings.ReplaceAll(text, "	mta_sts   = \"none\"\n", "")+"acme { agree = true }", config.Options{})
			if got := strings.Join(c.ACME.Names.Value, " "); got != want {
				t.Errorf("without pages: %s", got)
			}
			continue
		}
		c := parse(t, text+"acme { agree = true }\n"+blocks, config.Options{})
		if got := strings.Join(c.ACME.Names.Value, " "); got != want {
			t.Errorf("%s: %s, want %s", blocks, got, want)
		}
	}
}

// TestTheBenchmarksAreConfigurations: those of bench/, which take their ports from
// the environment.
func TestTheBenchmarksAreConfigurations(t *testing.T) {
	files, err := filepath.Glob("../../bench/*.hcl")
	if err != nil || len(files) != 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	env := func(name string) (string, bool) {
		return "2626", slices.Contains([]string{"SINK_PORT", "CHAIN", "KEY"}, name)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := problems(filepath.Base(f), text, config.Options{Env: env}); got != "" {
			t.Errorf("%s", got)
		}
	}
}

func TestPlaceholdersStandAsTheyAre(t *testing.T) {
	c := parse(t, "hostname = \"mx.example.org\"\n"+`route "box" {
  to      = "a.example"
  maildir = "mail/%{domain}/%%{user}/x" # %{no matter
}
route "pipe" {
  to   = "<>"
  pipe = ["/bin/x", "100%%", "-%{id}%{user}"]
}`, config.Options{})
	if got := c.Routes[0].Maildir.Value; got != "mail/%{domain}/%{user}/x" {
		t.Errorf("maildir %q", got)
	}
	if got := c.Routes[1].Pipe.Value; !slices.Equal(got, []string{"/bin/x", "100%%", "-%{id}%{user}"}) {
		t.Errorf("pipe %q", got)
	}
	c = parse(t, `hostname = "mx.example.org"
data = "/a%%%{b/$$${c/$/%"`, config.Options{})
	if got := c.Data.Value; got != "/a%%{b/$${c/$/%" {
		t.Errorf("data %q", got)
	}
	if got := parse(t, show(t, c), config.Options{}).Data.Value; got != c.Data.Value {
		t.Errorf("shown as %q", got)
	}
}

func TestMaildirsAreBelowARoot(t *testing.T) {
	for path, want := range map[string][2]string{
		"mail/%{domain}/%{user}":    {"/var/lib/posthouse", "mail/%{domain}/%{user}"},
		"box":                       {"/var/lib/posthouse", "box"},
		"/srv/mail/%{user}/Maildir": {"/srv/mail", "%{user}/Maildir"},
		"/srv/mail/u-%{user}":       {"/srv/mail", "u-%{user}"},
		"/srv/box":                  {"/srv", "box"},
		"/box":                      {"/", "box"},
	} {
		c := parse(t, "hostname = \"mx.example.org\"\nroute \"box\" {\nto = \"*\"\nmaildir = \""+path+"\"\n}", config.Options{})
		if root, below := c.MaildirOf(&c.Routes[0]); root != want[0] || below != want[1] {
			t.Errorf("%s: %s, %s", path, root, below)
		}
	}
}

func TestEntriesAreJSON(t *testing.T) {
	for _, e := range example(t, "full").Entries() {
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("%s: %v", e.Setting, err)
		}
	}
}

// TestWhatOnlyLooksWrong is accepted.
func TestWhatOnlyLooksWrong(t *testing.T) {
	for name, text := range map[string]string{
		"a list that speaks for a client": `
			policy {
				dnsbl "bad.example" {}
				dnsbl "good.example" { weight = -5 }
			}`,
		"a route before one with fewer conditions": `
			route "a" {
				to     = "example.net"
				from   = "example.org"
				remote = true
			}
			route "b" {
				to     = ["example.net", ".example.net"]
				remote = true
			}
			route "c" {
				networks = "10.0.0.0/8"
				remote   = true
			}
			route "d" {
				networks = ["10.1.0.0/16", "192.0.2.0/24"]
				remote   = true
			}`,
		"a route to what is below a domain of ours": `
			domain "example.org" { mailboxes = "jane" }
			route "a" {
				to     = ".example.org"
				remote = true
			}`,
		"a route that takes all, and one by name": `
			domain "example.org" {
				mailboxes = "jane"
				deliver   = "box"
			}
			route "box" { maildir = "mail/box" }
			route "all" {
				to        = "*"
				smarthost = "smtp.example.org:587"
			}`,
		"a password in clear on this machine": `
			route "a" {
				smarthost    = ["127.0.0.1:2525", "[::1]:2525"]
				tls          = "never"
				user         = "jane"
				password_env = "PASSWORD"
			}`,
		"two listeners on one port of two addresses, and on free ports": `
			listen "smtp" { address = ["192.0.2.1:25", "127.0.0.1:0"] }
			listen "smtp" {
				name    = "inside"
				address = ["192.0.2.2:25", "127.0.0.1:0"]
			}`,
		"all of one's own networks": `
			listen "smtp" {}
			relay { networks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1", "fc00::/7"] }`,
		"a backup MX of what is below, in several ways": `
			listen "smtp" {}
			relay { domains = ["example.com", ".example.com", "*.example.net"] }`,
	} {
		if got := problems("main.hcl", []byte("hostname = \"mx.example.org\"\n"+text), config.Options{}); got != "" {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// TestUnits: what is written, as it is shown.
func TestUnits(t *testing.T) {
	for _, x := range []struct{ place, written, want string }{
		{"expire", `"1d12h"`, `"1d12h"`},
		{"expire", `"36h"`, `"1d12h"`},
		{"expire", `"90m"`, `"1h30m"`},
		{"expire", `"7200s"`, `"2h"`},
		{"retry", `["90s", "5m..1d"]`, `["1m30s", "5m..1d"]`},
		{"retry", `"5m"`, `["5m"]`},
		{"message_size", `1048576`, `"1MiB"`},
		{"message_size", `"25 MB"`, `"25MB"`},
		{"message_size", `"100000B"`, `"100KB"`},
		{"rate", `"60/h"`, `"60/h"`},
		{"rate", `"5/10m"`, `"5/10m"`},
		{"rate", `"10/1s"`, `"10/s"`},
		{"networks", `["192.0.2.1", "::ffff:10.0.0.0/104"]`, `["192.0.2.1/32", "10.0.0.0/8"]`},
		{"servers", `["192.0.2.1", "[2001:db8::1]:5353"]`, `["192.0.2.1:53", "[2001:db8::1]:5353"]`},
	} {
		line := x.place + " = " + x.written + "\n"
		switch x.place {
		case "message_size":
			line = "limits {\n" + line + "}"
		case "rate":
			line = "route \"a\" {\nremote = true\nlimits {\n" + line + "}\n}"
		case "networks":
			line = "route \"a\" {\nremote = true\n" + line + "}"
		case "servers":
			line = "dns {\n" + line + "}"
		}
		shown := show(t, parse(t, "hostname = \"mx.example.org\"\n"+line, config.Options{}))
		if !regexp.MustCompile(`(?m)^ *` + x.place + ` += ` + regexp.QuoteMeta(x.want) + ` +# /etc`).MatchString(shown) {
			t.Errorf("%s = %s is not shown as %s", x.place, x.written, x.want)
		}
	}
}

// TestHostileFiles: whatever stands in a file of 48 KiB, the answer comes
// soon and the program lives.
func TestHostileFiles(t *testing.T) {
	const size = 48 << 10
	rep := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, text := range map[string]string{
		"brackets":         "a = " + rep("["),
		"brace":            rep("a {"),
		"parentheses":      "a = " + rep("("),
		"templates":        "a = " + rep(`"${`),
		"not":              "a = " + rep("!"),
		"minus":            "a = " + rep("-"),
		"conditions":       "a = " + rep("a?b:"),
		"a long number":    "a = " + rep("9"),
		"a great exponent": "a = 1e999999999",
		"a small exponent": "limits { errors = 1e-99999999 }",
		"a long word":      rep("a"),
		"a long text":      `hostname = "` + rep("a") + `"`,
		"a long label":     `domain "` + rep("a") + `" {}`,
		"a long list":      "retry = [" + rep(`"5m",`) + "]",
		"many networks":    "relay { networks = [" + rep(`"10.0.0.0/8",`) + "] }",
		"unknown words":    rep("a = 1\n"),
		"more words":       rep("hostnam = 1\n"),
		"many routes":      `hostname = "a.b"` + "\n" + rep("route \"%d\" { remote = true }\n"),
		"many conditions":  `hostname = "a.b"` + "\n" + rep("route \"r\" {\nremote = true\nto = [\"a.example\",\"b.example\",\"c.example\"]\nfrom=[\"d\",\"e\"]\n}\n"),
		"quotes":           rep(`"`),
		"percent":          `a = "` + rep("%{") + `"`,
		"nothing":          "",
		"no text":          "\x00\x01",
		"no UTF-8":         "a = \"\xff\"",
		"too long":         strings.Repeat(" ", 1<<20+1),
		"comments":         rep("# a\n"),
		"lines":            rep("\n"),
		"joined letters":   "a = \"" + rep("\u0301") + `"`,
	} {
		start := time.Now()
		_, err := config.Parse("main.hcl", []byte(text), config.Options{})
		if took := time.Since(start); took > time.Minute { // what is not linear takes hours
			t.Errorf("%s: took %v", name, took)
		}
		if err == nil {
			t.Errorf("%s: nothing is wrong", name)
			continue
		}
		for _, p := range err.(config.Problems) {
			if len(p.Error()) > 2000 || strings.ContainsAny(p.Error(), "\n\r\x1b") {
				t.Errorf("%s: %.200q", name, p.Error())
			}
		}
		if n := len(err.(config.Problems)); n > 101 {
			t.Errorf("%s: %d problems", name, n)
		}
	}
}
