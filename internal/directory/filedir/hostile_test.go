package filedir_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/posthouse/posthouse/internal/directory/directorytest"
	"github.com/posthouse/posthouse/internal/directory/filedir"
	"github.com/posthouse/posthouse/smtp"
)

// memory is files that are not on a disk, by their full paths.
type memory map[string]string

func (m memory) Open(name string) (fs.File, error) {
	text, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return fstest.MapFS{"file": {Data: []byte(text)}}.Open("file")
}

func (m memory) OpenIn(dir, name string) (fs.File, error) { return m.Open(filepath.Join(dir, name)) }

// load makes a directory of one domain, "d.example", with all that Unix allows.
// Its files are /aliases, /unix and /names; what is included is below /lists.
func load(t testing.TB, files memory) (*filedir.Directory, error) {
	d := filedir.Domain{
		Name: "d.example", Mailboxes: []string{"jane"}, Tags: "+-",
		Unix: filedir.Unix{Include: []string{"/lists"}, Pipes: true, Files: true},
	}
	for name, list := range map[string]*[]filedir.File{"/aliases": &d.AliasFiles, "/unix": &d.Unix.AliasFiles, "/names": &d.MailboxFiles} {
		if _, ok := files[name]; ok {
			*list = []filedir.File{{Name: name}}
		}
	}
	return filedir.Load(t.Context(), filedir.Options{Domains: []filedir.Domain{d}, Files: files})
}

// lines makes a file of n lines.
func lines(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i) + "\n")
	}
	return b.String()
}

// TestHostileFiles: each is refused soon, with few words, or does no harm.
func TestHostileFiles(t *testing.T) {
	const mega = 1 << 20
	deep := memory{"/unix": "a: :include:/lists/0\n"}
	for i := range 100 {
		deep[fmt.Sprintf("/lists/%d", i)] = fmt.Sprintf(":include:/lists/%d\n", i+1)
	}
	deep["/lists/100"] = "jane"
	wide := memory{"/unix": lines(1001, func(i int) string { return fmt.Sprintf("a%d: :include:/lists/%d", i, i) })}
	for i := range 1001 {
		wide[fmt.Sprintf("/lists/%d", i)] = "jane"
	}
	for name, x := range map[string]struct {
		files memory
		want  string // in the error; "": there is none
	}{
		"a line of a megabyte":      {memory{"/aliases": "a: " + strings.Repeat("x", mega)}, "/aliases:1:1: the line is longer than 65536 octets"},
		"a name of a megabyte":      {memory{"/names": strings.Repeat("x", mega)}, "/names:1:1: the line is longer"},
		"a long name":               {memory{"/names": strings.Repeat("x", 65)}, "local part has 65 octets"},
		"a quote without end":       {memory{"/aliases": `"` + strings.Repeat(`\"`, 30_000)}, "closing quote"},
		"commas":                    {memory{"/aliases": "a: jane" + strings.Repeat(",", 60_000)}, ""},
		"colons":                    {memory{"/unix": strings.Repeat(":", 60_000)}, "a name must stand here"},
		"a target of tag marks":     {memory{"/aliases": "a: " + strings.Repeat("+", 60_000)}, "nobody is known"},
		"lines that continue":       {memory{"/aliases": "a: jane,\n" + strings.Repeat(" jane,\n", 9_999)}, ""},
		"too many that continue":    {memory{"/aliases": "a: jane,\n" + strings.Repeat(" jane,\n", 10_000)}, "more than 10000 addresses"},
		"a hundred thousand names":  {memory{"/names": lines(100_000, func(i int) string { return fmt.Sprintf("u%d", i) })}, ""},
		"all wrong":                 {memory{"/aliases": lines(100_000, func(i int) string { return "a" })}, "there are more problems than these"},
		"a long chain":              {memory{"/aliases": lines(100_000, func(i int) string { return fmt.Sprintf("a%d: a%d", i, i+1) }) + "a100000: jane"}, `"a0" leads on more than 50 times: "a0" -> "a1" -> `},
		"a long chain, from behind": {memory{"/aliases": "a0: jane\n" + lines(100_000, func(i int) string { return fmt.Sprintf("a%d: a%d", i+1, i) })}, "leads on more than 50 times"},
		"a long circle":             {memory{"/aliases": lines(40, func(i int) string { return fmt.Sprintf("a%d: a%d", i, (i+1)%40) })}, "leads back to itself"},
		"doubling":                  {memory{"/aliases": lines(40, func(i int) string { return fmt.Sprintf("a%d: a%d, a%d", i, i+1, i+1) }) + "a40: jane"}, "more than 10000 addresses"},
		"deep includes":             {deep, "leads on more than 50 times"},
		"many includes":             {wide, "more than 1000 files"},
		"an endless file":           {memory{"/names": strings.Repeat("#\n", 8<<20+1)}, "longer than 16777216 octets"},
		"binary":                    {memory{"/aliases": "\x7fELF\x00\x01\xff\xfe: jane"}, "control character"},
		"no UTF-8":                  {memory{"/aliases": "a\xff: jane"}, "no UTF-8"},
		"a turned line":             {memory{"/aliases": "a\u202e: nobody\u202e"}, ""},
		"a null octet in a name":    {memory{"/aliases": "a: ja\x00ne"}, "control character"},
		"nothing":                   {memory{"/aliases": "", "/unix": "\n\n", "/names": "\n"}, ""},
	} {
		start := time.Now()
		_, err := load(t, x.files)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s: took %v", name, took)
		}
		if x.want == "" && name != "a turned line" && err != nil {
			t.Errorf("%s: %.300v", name, err)
			continue
		}
		if x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s: %.300v, want %q", name, err, x.want)
		}
		checkProblems(t, name, err)
	}
}

// checkProblems: few, short, and safe to print.
func checkProblems(t *testing.T, name string, err error) {
	t.Helper()
	var ps filedir.Problems
	if err == nil {
		return
	}
	if !errors.As(err, &ps) || len(ps) > 101 {
		t.Errorf("%s: %d problems, %T", name, len(ps), err)
	}
	for _, p := range ps {
		if strings.ContainsAny(p.Error(), "\n\r\x00\x1b\u202e") || len(p.Error()) > 3000 {
			t.Errorf("%s: %.300q", name, p.Error())
		}
	}
}

func TestDevicesAreNotRead(t *testing.T) {
	for _, d := range []filedir.Domain{
		{Name: "d.example", MailboxFiles: []filedir.File{{Name: "/dev/zero"}}},
		{Name: "d.example", AliasFiles: []filedir.File{{Name: "/dev/stdin"}}},
		{Name: "d.example", Unix: filedir.Unix{AliasFiles: []filedir.File{{Name: "/dev/tty"}}}},
	} {
		_, err := filedir.Load(t.Context(), filedir.Options{Domains: []filedir.Domain{d}})
		if err == nil || !strings.Contains(err.Error(), "cannot read") {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

func TestALoadThatIsCancelledMakesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d, err := filedir.Load(ctx, filedir.Options{
		Domains: []filedir.Domain{{Name: "d.example", AliasFiles: []filedir.File{{Name: "/aliases"}}}},
		Files:   memory{"/aliases": "a: b"},
	})
	if d != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", d, err)
	}
}

// TestAHostWithoutDomainsHasAPostmaster, in the configuration or at its name.
func TestAHostWithoutDomainsHasAPostmaster(t *testing.T) {
	for _, x := range []struct{ set, want string }{
		{"", "alias postmaster: postmaster@web1.example.org"},
		{"admin@example.org", "alias postmaster: admin@example.org"},
	} {
		d, err := filedir.Load(t.Context(), filedir.Options{Hostname: "web1.example.org", Postmaster: path(t, x.set)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Lookup(t.Context(), smtp.Postmaster)
		if got := directorytest.Text(r); err != nil || got != x.want {
			t.Errorf("%s, %v; want %s", got, err, x.want)
		}
	}
}

// TestDomainsKnowEachOther: an alias may name somebody in another domain of ours,
// and the postmaster of all of them is found in his.
func TestDomainsKnowEachOther(t *testing.T) {
	d, err := filedir.Load(t.Context(), filedir.Options{
		Domains: []filedir.Domain{
			{Name: "a.example", AliasFiles: []filedir.File{{Name: "/a"}}, Mailboxes: []string{"x"}},
			{Name: "b.example", AliasFiles: []filedir.File{{Name: "/b"}}, Mailboxes: []string{"boss"}},
		},
		Postmaster: path(t, "boss@b.example"),
		Files:      memory{"/a": "all: x, all@b.example", "/b": "all: boss, x@a.example\nboss: \\boss, x@a.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for ask, want := range map[string]string{
		"all@a.example":        "alias all@a.example: x@a.example* boss@b.example*",
		"postmaster@a.example": "alias postmaster@a.example: boss@b.example* x@a.example*",
		"postmaster@b.example": "alias postmaster@b.example: boss@b.example* x@a.example*",
	} {
		r, err := d.Lookup(t.Context(), path(t, ask))
		if got := directorytest.Text(r); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", ask, got, err, want)
		}
	}
}

// FuzzAliasFile: whatever stands in the files, what is wrong is told on a line
// each, and what is right answers within its bounds.
func FuzzAliasFile(f *testing.F) {
	stories, _ := filepath.Glob("testdata/stories/*.txt")
	for _, s := range stories {
		for _, text := range storyFiles(f, s) {
			f.Add(text, text, text)
		}
	}
	f.Add("a: jane, \\jane\njane: jane, \"|x\"", "b: \"|x y\", /z, :include:/lists/f", "\"a b\"\n")
	f.Fuzz(func(t *testing.T, aliases, unix, list string) {
		d, err := load(t, memory{"/aliases": aliases, "/unix": unix, "/lists/f": list})
		if err != nil {
			checkProblems(t, "fuzz", err)
			return
		}
		for _, name := range strings.FieldsFunc(aliases+unix, func(r rune) bool { return strings.ContainsRune(": \t,\n", r) }) {
			found, err := d.Find(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range found {
				if len(r.To) == 0 || len(r.To) > 10_000 {
					t.Fatalf("%s: %d targets", name, len(r.To))
				}
				for _, to := range r.To {
					if _, err := smtp.ParseMailbox(to.To.String()); err != nil {
						t.Fatalf("%s: %v", to.To, err)
					}
				}
			}
		}
	})
}
