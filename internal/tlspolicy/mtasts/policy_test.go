package mtasts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
	"github.com/posthouse/posthouse/internal/tlspolicy/tlspolicytest"
)

const good = "version: STSv1\r\nmode: enforce\r\nmx: mx.b.test\r\nmx: *.b.test\r\nmax_age: 604800\r\n"

func TestParsePolicy(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{ // want: the lines, or a part of the error
		{"as in the RFC", good, good},
		{"line ends of Unix, none at the end, blanks", "version:STSv1\nmode:  testing \nmx:\tMX.b.test.\nmax_age: 1", "version: STSv1\r\nmode: testing\r\nmx: mx.b.test\r\nmax_age: 1\r\n"},
		{"what nobody knows", good + "future: thing\r\n", good},
		{"a field twice", good + "mode: none\r\nmax_age: 1\r\n", good},
		{"none needs no mx", "version: STSv1\nmode: none\nmax_age: 0\n", "version: STSv1\r\nmode: none\r\nmax_age: 0\r\n"},
		{"more than a year", strings.ReplaceAll(good, "604800", "9999999999"), strings.ReplaceAll(good, "604800", "31557600")},
		{"a name past ASCII", "version: STSv1\nmode: enforce\nmx: 例え.test\nmax_age: 1\n", "version: STSv1\r\nmode: enforce\r\nmx: xn--r8jz45g.test\r\nmax_age: 1\r\n"},
		{"empty", "", "not all there"},
		{"another version", strings.ReplaceAll(good, "STSv1", "STSv2"), `"STSv2"`},
		{"another mode", strings.ReplaceAll(good, "enforce", "Enforce"), `"Enforce"`},
		{"no mode", strings.ReplaceAll(good, "mode: enforce\r\n", ""), "not all there"},
		{"no mx", "version: STSv1\nmode: enforce\nmax_age: 1\n", "no mx"},
		{"max_age below zero", strings.ReplaceAll(good, "604800", "-1"), `"-1"`},
		{"max_age that is too long to be read", strings.ReplaceAll(good, "604800", strings.Repeat("9", 30)), "not a number"},
		{"a star in the middle", strings.ReplaceAll(good, "*.b.test", "a.*.test"), "no name of a host"},
		{"a star alone", strings.ReplaceAll(good, "*.b.test", "*"), "no name of a host"},
		{"a page", "<!DOCTYPE html>\n", "no colon"},
		{"escapes for a terminal", "version: \x1b[2J\n", `"\x1b[2J"`},
		{"too large", strings.Repeat("x", 70_000), "more than 65536"},
		{"too many", strings.Replace(good, "mx: mx.b.test\r\n", strings.Repeat("mx: mx.b.test\n", 1001), 1), "more than 1000"},
	} {
		p, err := mtasts.ParsePolicy(c.text)
		got := p.String()
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) || strings.Contains(c.want, "version") != (err == nil) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	p, err := mtasts.ParsePolicy("version: STSv1\nmode: enforce\nmx: mx.b.test\nmx: *.c.test\nmax_age: 1\n")
	if err != nil || p.MaxAge != time.Second {
		t.Fatal(p, err)
	}
	for host, want := range map[string]bool{
		"mx.b.test": true, "b.test": false, "a.mx.b.test": false, "xmx.b.test": false,
		"a.c.test": true, "a.b.c.test": false, "c.test": false, "ac.test": false,
	} {
		if got := p.Names(tlspolicytest.Name(t, host)); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

func TestParseRecord(t *testing.T) {
	for _, c := range []struct {
		texts []string
		want  string
	}{
		{[]string{"v=STSv1; id=20160831085700Z;"}, "20160831085700Z"},
		{[]string{"v=STSv1;id=a1"}, "a1"},
		{[]string{"v=STSv1 ; x=y ; id=a1 ;"}, "a1"},
		{[]string{"v=spf1 -all", "v=STSv1; id=1"}, "1"},
		{[]string{"v=STSv1; id=1", "v=STSv1; id=2"}, ""}, // RFC 8461, 3.1: none
		{[]string{"v=STSv1;"}, ""},
		{[]string{"v=STSv1"}, ""},
		{[]string{"v=STSv10; id=1"}, ""},
		{[]string{"id=1; v=STSv1"}, ""},
		{[]string{"v=STSv1; id=a-1"}, ""},
		{[]string{"v=STSv1; id=" + strings.Repeat("a", 33)}, ""},
		{nil, ""},
	} {
		if got := mtasts.ParseRecord(c.texts); got != c.want {
			t.Errorf("%q: %q, want %q", c.texts, got, c.want)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(good)
	f.Add("version: STSv1\nmode: none\nmax_age: 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := mtasts.ParsePolicy(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n\x1b") {
				t.Errorf("%q: the error has lines: %q", text, err)
			}
			return
		}
		again, err := mtasts.ParsePolicy(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%q prints as %q, which is read as %q, %v", text, p.String(), again.String(), err)
		}
	})
}
