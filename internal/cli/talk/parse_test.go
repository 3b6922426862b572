package talk

import (
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/cli"
)

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		``:                    "",
		`MAIL FROM:<a@b>\r\n`: "MAIL FROM:<a@b>\r\n",
		`\x00\x7F\xff\0\t\\`:  "\x00\x7f\xff\x00\t\\",
		`你好`:                  "你好",
	} {
		got, err := unescape(in)
		if err != nil || string(got) != want {
			t.Errorf("unescape(%s) is %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{`\`, `a\`, `\q`, `\x`, `\x1`, `\xg0`, `\x+1`, `\X00`} {
		if got, err := unescape(bad); err == nil {
			t.Errorf("unescape(%s) is %q, want an error", bad, got)
		}
	}
}

// What is printed of the other side's octets can be put into a script.
func FuzzUnescape(f *testing.F) {
	for _, seed := range []string{"", "\r\n.\r\n", `\x0`, "\x00\x1b[0m", "\xff你好\u202e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = unescape(s) // whatever it is
		if strings.ContainsFunc(s, func(r rune) bool {
			return r == '\\' || r > 0x7e && r != '\ufffd' || strings.ContainsRune("\a\b\f\v", r)
		}) {
			return // these are printed in forms that scripts do not have
		}
		got, err := unescape(cli.Printable(s))
		if err != nil || string(got) != s {
			t.Errorf("%q is printed as %s, which is %q, %v", s, cli.Printable(s), got, err)
		}
	})
}

func TestParseReplyLine(t *testing.T) {
	for in, want := range map[string]struct {
		code     int
		more, ok bool
	}{
		"250 OK\r\n":   {250, false, true},
		"250-OK\r\n":   {250, true, true},
		"250\r\n":      {250, false, true},
		"250\n":        {250, false, true},
		"250OK\r\n":    {250, false, false},
		"25 OK\r\n":    {0, false, false},
		"":             {0, false, false},
		"\x1b[31m 250": {0, false, false},
	} {
		code, more, ok := parseReplyLine(in)
		if ok != want.ok || more != want.more || ok && code != want.code {
			t.Errorf("parseReplyLine(%q) is %d, %v, %v; want %v", in, code, more, ok, want)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern string
		code    int
		closed  bool
		want    bool
	}{
		{"250", 250, false, true},
		{"250", 251, false, false},
		{"25x", 251, false, true},
		{"5xx", 550, false, true},
		{"5xx", 450, false, false},
		{"250 5xx", 550, false, true},
		{"250", 0, false, false},
		{"closed", 250, false, false},
		{"closed", 250, true, true},
		{"250", 250, true, false},
	} {
		p, err := parsePattern(strings.Fields(c.pattern))
		if err != nil {
			t.Error(err)
		} else if got := p.matches(c.code, c.closed); got != c.want {
			t.Errorf("%q matches %d (closed: %v): %v, want %v", c.pattern, c.code, c.closed, got, c.want)
		}
	}
	for _, bad := range []string{"", "25", "2500", "0xx", "x50", "25y", "Closed"} {
		if p, err := parsePattern(strings.Fields(bad)); err == nil {
			t.Errorf("%q is taken for the pattern %v", bad, p)
		}
	}
}

func TestMask(t *testing.T) {
	s := new(session)
	for in, want := range map[string]string{
		"AUTH PLAIN AGEAYg==":   "AUTH PLAIN ***",
		"auth  plain  x y\r\n":  "auth plain ***",
		"AUTH LOGIN":            "AUTH LOGIN",
		"MAIL FROM:<a> AUTH=<>": "MAIL FROM:<a> AUTH=<>",
	} {
		if got := s.mask(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	s.secret = true
	if got := s.mask("YmlyZA=="); got != "***" {
		t.Errorf("the answer to a challenge is shown as %q", got)
	}
}
