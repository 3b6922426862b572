package hostile

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// classes are those that there must be.
var classes = []string{
	"smuggling-in", "smuggling-out", "starttls-injection-in", "starttls-injection-out", "bdat-confusion", "state-not-reset",
	"early-talkers", "parameter-injection", "header-injection", "reply-bombs", "slow-drips", "long-lines", "floods", "control-bytes",
	"proxy-from-strangers", "shell-characters", "address-confusion", "path-escape", "links-in-maildir", "log-injection",
	"mail-loops", "mx-to-self", "huge-dns-answers", "clock-jumps", "sender-spoofing",
}

// module is where the paths of the catalogue begin.
const module = "../.."

// TestCatalogue: each class is in the catalogue and has a story, each story says what it is
// about, and the tests that are named elsewhere are there.
func TestCatalogue(t *testing.T) {
	named := map[string]bool{}
	for _, line := range lines(t, "testdata/catalogue.txt") {
		if test, also := strings.CutPrefix(line, "  also "); also {
			if !exists(t, test) {
				t.Errorf("there is no %s", test)
			}
			continue
		}
		class, _, ok := strings.Cut(line, ": ")
		if !ok || named[class] || !slices.Contains(classes, class) {
			t.Errorf("%q begins no class that is new and wanted", line)
		}
		named[class] = true
	}
	for _, class := range classes {
		stories, _ := filepath.Glob(filepath.Join("testdata", class, "*.txtar"))
		if !named[class] || len(stories) == 0 {
			t.Errorf("the class %s has %d stories (in the catalogue: %v)", class, len(stories), named[class])
		}
	}
	folders, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if f.IsDir() && !named[f.Name()] {
			t.Errorf("the folder %s is no class", f.Name())
		}
	}
}

// TestStoriesSayWhatTheyAre: what the attack is, whom it has hit and what must happen stand first, and
// something is played.
func TestStoriesSayWhatTheyAre(t *testing.T) {
	begins := regexp.MustCompile(`(?s)^Attack: .+\nHit:    .+\nMust:   .+`)
	files, _ := filepath.Glob("testdata/*/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !begins.Match(a.Comment) {
			t.Errorf("%s does not begin with Attack, Hit and Must", file)
		}
		if !slices.ContainsFunc(a.Files, func(f txtar.File) bool {
			return strings.HasPrefix(f.Name, "ask ") || strings.HasPrefix(f.Name, "letter ")
		}) {
			t.Errorf("%s: nothing happens", file)
		}
	}
}

// TestEveryParserIsFuzzed: testdata/parsers.txt names a fuzz target for each parser that reads what
// strangers write, and every target is there for one.
func TestEveryParserIsFuzzed(t *testing.T) {
	used := map[string]bool{}
	for _, line := range lines(t, "testdata/parsers.txt") {
		words := strings.Fields(line)
		if len(words) < 3 {
			t.Errorf("%q is no line of a package, a fuzz target and its parsers", line)
			continue
		}
		target := words[0] + " " + words[1]
		used[target] = true
		if !exists(t, target) {
			t.Errorf("there is no %s", target)
		}
		for _, parser := range words[2:] {
			if !declares(t, words[0], parser, ".go") {
				t.Errorf("%s has no %s", words[0], parser)
			}
		}
	}
	for _, target := range targets(t) {
		if !used[target] {
			t.Errorf("%s is not in testdata/parsers.txt", target)
		}
	}
}

// targets are the fuzz targets of the module, as "package FuzzName".
func targets(t *testing.T) (all []string) {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	err := filepath.WalkDir(module, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		dir, _ := filepath.Rel(module, filepath.Dir(path))
		for _, m := range declared.FindAllSubmatch(text, -1) {
			all = append(all, filepath.ToSlash(dir)+" "+string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// exists reports whether there is a file, or in a package a test.
func exists(t *testing.T, name string) bool {
	t.Helper()
	pkg, test, is := strings.Cut(name, " ")
	if is {
		return declares(t, pkg, test, "_test.go")
	}
	_, err := os.Stat(filepath.Join(module, name))
	return err == nil
}

// declares reports whether a package declares a function or method in files with a suffix.
func declares(t *testing.T, pkg, name, suffix string) bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (\(\w* ?\*?\w+\) )?` + regexp.QuoteMeta(name) + `\(`)
	files, _ := filepath.Glob(filepath.Join(module, pkg, "*"+suffix))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if declared.Match(text) {
			return true
		}
	}
	return false
}

// lines are those of a file that are neither empty nor comments.
func lines(t *testing.T, file string) (all []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	return all
}
