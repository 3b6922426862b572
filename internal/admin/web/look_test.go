package web

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestWords holds the message table against what says something: every key is there, in
// every language, with the same places for arguments, and none is there in vain.
func TestWords(t *testing.T) {
	used := map[string]bool{}
	for _, text := range sources(t) {
		for _, m := range regexp.MustCompile(`(?:\bt|\bcount|say|Key:|key:|count\(|[({,]\s?)\s*"([a-z]+[a-z.-]*)"`).FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`(?:print |return |"|\+ ?)"?([a-z]+\.)"`).FindAllStringSubmatch(text, -1) {
			used[m[1]+"*"] = true // the rest is put behind it
		}
		for _, m := range regexp.MustCompile(`"([a-z]+\.[a-z0-9-]+)"`).FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
		}
	}
	for _, text := range templates(t) {
		for _, m := range regexp.MustCompile(`\b(?:t|count) "([^"]+)"`).FindAllStringSubmatch(text, -1) {
			if _, ok := words[m[1]]; !ok {
				t.Errorf("a template says %q, which is not in the table", m[1])
			}
		}
	}
	verbs := regexp.MustCompile(`%[a-z]`)
	for key, row := range words {
		group, _, _ := strings.Cut(key, ".")
		if !used[key] && !used[group+".*"] && !used[strings.TrimSuffix(key, ".one")] {
			t.Errorf("nothing says %q", key)
		}
		for i := range languages {
			if row[i] == "" {
				t.Errorf("%q is missing in %s", key, languages[i].name)
			}
			if a, b := verbs.FindAllString(row[0], -1), verbs.FindAllString(row[i], -1); !slices.Equal(a, b) {
				t.Errorf("%q has the places %v, in %s %v", key, a, languages[i].name, b)
			}
		}
	}
	for _, w := range orderWords {
		for _, prefix := range []string{"do.", "done.", "confirm."} {
			if _, ok := words[prefix+w.Verb]; !ok {
				t.Errorf("%s%s is missing", prefix, w.Verb)
			}
		}
	}
}

func templates(t *testing.T) []string { return filesOf(t, templateFiles, "templates/*.html") }

// sources are all that could say something: the templates and the program.
func sources(t *testing.T) []string {
	all := templates(t)
	names, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == "words.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

func filesOf(t *testing.T, files fs.FS, pattern string) (all []string) {
	t.Helper()
	names, err := fs.Glob(files, pattern)
	if err != nil || len(names) == 0 {
		t.Fatal(pattern, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// TestContrast computes the contrast of every colour that is written on another, in light
// and dark: 4.5 for text (WCAG 2.2, 1.4.3), 3 for the edges of what can be used (1.4.11).
func TestContrast(t *testing.T) {
	css, err := staticFiles.ReadFile("static/console.css")
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string][2]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`).FindAllStringSubmatch(string(css), -1) {
		colours[m[1]] = [2]string{m[2], m[3]}
	}
	pairs := 0
	check := func(rule, ink, on string, least float64) {
		for i, look := range []string{"light", "dark"} {
			a, b := colours[ink][i], colours[on][i]
			if a == "" || b == "" {
				t.Fatalf("%s: --%s or --%s is no colour", rule, ink, on)
			}
			pairs++
			if c := contrast(a, b); c < least {
				t.Errorf("%s, %s: --%s on --%s has a contrast of %.2f, less than %.1f", rule, look, ink, on, c, least)
			}
		}
	}
	ink, ground := regexp.MustCompile(`[{; ]color: var\(--([a-z-]+)\)`), regexp.MustCompile(`background: var\(--([a-z-]+)\)`)
	for _, m := range regexp.MustCompile(`([^{}]+)\{([^{}]*)\}`).FindAllStringSubmatch(string(css), -1) {
		rule := strings.TrimSpace(m[1])
		c := ink.FindStringSubmatch(m[2])
		if c == nil {
			continue
		}
		if g := ground.FindStringSubmatch(m[2]); g != nil {
			check(rule, c[1], g[1], 4.5)
			continue
		}
		if strings.HasPrefix(rule, ".side") || strings.HasPrefix(rule, ".count") {
			check(rule, c[1], "side", 4.5)
			continue
		}
		for _, g := range []string{"paper", "card", "sunk"} { // wherever it stands
			check(rule, c[1], g, 4.5)
		}
	}
	for _, g := range []string{"paper", "card", "sunk"} {
		check("text", "ink", g, 4.5)
		check("edges of fields and buttons", "edge", g, 3)
		check("the mark of the focus", "link", g, 3)
	}
	if pairs < 60 {
		t.Errorf("only %d pairs were found: does the test still read the file?", pairs)
	}
}

// contrast is that of WCAG 2.2: (L1 + 0.05) / (L2 + 0.05).
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(colour string) float64 {
	part := func(i int) float64 {
		n, err := strconv.ParseUint(colour[i:i+2], 16, 8)
		if err != nil {
			panic(fmt.Sprint(colour, err)) // the pattern has checked it
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(1) + 0.7152*part(3) + 0.0722*part(5)
}

// TestSpans are times for people.
func TestSpans(t *testing.T) {
	en := &languages[0]
	for seconds, want := range map[int]string{0: "0s", 59: "59s", 60: "1m", 61: "1m 1s", 3599: "59m", 3600: "1h", 7500: "2h 5m", 90000: "1d 1h", 864000: "10d"} {
		if got := en.span(secondsOf(seconds)); got != want {
			t.Errorf("%d s: %q, want %q", seconds, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 12_345: "12 kB", 5_000_000: "5.0 MB", 3_000_000_000_000_000: "3000 TB"} {
		if got := en.size(n); got != want {
			t.Errorf("%d octets: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := en.number(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func secondsOf(n int) time.Duration { return time.Duration(n) * time.Second }
