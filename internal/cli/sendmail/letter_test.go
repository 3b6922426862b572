package sendmail

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
)

var update = flag.Bool("update", false, "write anew what is sent")

// ann calls in these tests.
var ann = caller{host: "mx.sohu.example", user: "ann", name: "Ann Li"}

// TestLetters reads the command lines and messages of testdata/letters, and shows
// what would be said to a server: one option a line in args, \n for a line end.
func TestLetters(t *testing.T) {
	t.Setenv("NAME", "")
	files, err := filepath.Glob("testdata/letters/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no letters", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			args := strings.Split(strings.TrimSuffix(string(a.Files[0].Data), "\n"), "\n")
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], `\n`, "\n")
			}
			sent := sentBy(args, string(a.Files[1].Data))
			if *update {
				a.Files[2].Data = []byte(sent)
				if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(a.Files[2].Data), sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

// invented finds what is another each time.
var invented = regexp.MustCompile(`(?m)^(Date: ).* [+-]\d{4}$|(Message-ID: <)[0-9a-z]{26}@`)

func sentBy(args []string, stdin string) string {
	o, err := readOptions(args)
	if err != nil {
		return failure(err)
	}
	l, err := o.letter(&ann, strings.NewReader(stdin))
	if err != nil {
		return failure(err)
	}
	defer l.text.close()
	var said []byte
	commands := []smtp.Command{smtp.Mail{From: l.env.From, Params: l.env.Mail}}
	for _, to := range l.env.To {
		commands = append(commands, smtp.Rcpt{To: to.Path, Params: to.Params})
	}
	for _, c := range commands {
		if said, err = smtp.AppendCommand(said, c); err != nil {
			return failure(err)
		}
	}
	text := contents(l.text)
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") {
		return "a line ends with LF alone"
	}
	all := strings.ReplaceAll(string(said)+"\r\n"+text, "\r\n", "\n")
	return regexp.MustCompile(` SIZE=\d+`).ReplaceAllString(invented.ReplaceAllString(all, "${1}${2}..."), "")
}

func failure(err error) string {
	status, _ := cli.StatusOf(err)
	return fmt.Sprintf("status %d: %s\n", status, cli.Printable(err.Error()))
}

func contents(t *text) string {
	r, err := t.Open()
	if err != nil {
		return err.Error()
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// TestOctets: line ends of all kinds become CRLF, and what no line can hold is told
// to those who carry the message.
func TestOctets(t *testing.T) {
	const head = "From: a@b.example\r\nDate: x\r\nMessage-ID: <1@b.example>\r\n"
	for _, c := range []struct {
		story, in, want string
		body            smtp.Body
	}{
		{"LF", "\nab\ncd\n", "\r\nab\r\ncd\r\n", ""},
		{"CRLF", "\r\nab\r\ncd\r\n", "\r\nab\r\ncd\r\n", ""},
		{"no end", "\nab", "\r\nab\r\n", ""},
		{"CR alone", "\nab\rcd\n", "\r\nab\r\ncd\r\n", ""},
		{"dot and CRLF", "\r\nab\r\n.\r\ncd\r\n", "\r\nab\r\n", ""},
		{"dot at the end", "\nab\n.", "\r\nab\r\n", ""},
		{"dot that begins a line", "\n.ab\n", "\r\n.ab\r\n", ""},
		{"dot behind a long line", "\n" + strings.Repeat("a", 100_000) + ".\nb\n", "\r\n" + strings.Repeat("a", 100_000) + ".\r\nb\r\n", ""},
		{"dot at the edge of a buffer", "\n" + strings.Repeat("a", blockSize) + ".\nb\n", "\r\n" + strings.Repeat("a", blockSize) + ".\r\nb\r\n", ""},
		{"NUL", "\na\x00b\n", "\r\na\x00b\r\n", smtp.BodyBinary},
		{"Latin-1", "\na\xe9b\n", "\r\na\xe9b\r\n", smtp.Body8Bit},
		{"large", "\n" + strings.Repeat("it rains\n", 300_000), "\r\n" + strings.Repeat("it rains\r\n", 300_000), ""},
	} {
		t.Run(c.story, func(t *testing.T) {
			o, err := readOptions([]string{"bob@sina.example"})
			if err != nil {
				t.Fatal(err)
			}
			l, err := o.letter(&ann, strings.NewReader(strings.ReplaceAll(head, "\r\n", "\n")+c.in))
			if err != nil {
				t.Fatal(err)
			}
			defer l.text.close()
			if got := contents(l.text); got != head+c.want {
				t.Errorf("the text is %.200q, want %.200q", got, head+c.want)
			}
			if l.env.Mail.Body != c.body || l.env.Mail.Size != l.text.Size() {
				t.Errorf("body %q, size %d; want %q, %d", l.env.Mail.Body, l.env.Mail.Size, c.body, l.text.Size())
			}
		})
	}
}

func TestMessagesWithoutEnd(t *testing.T) {
	for story, in := range map[string]io.Reader{
		"header": endless("X-A: b\n"),
		"field":  endless("a"),
		"broken": io.MultiReader(strings.NewReader("Subject: x\n\n"), broken{}),
	} {
		o, err := readOptions([]string{"bob@sina.example"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.letter(&ann, io.LimitReader(in, 1<<24))
		want := cli.DataErr
		if story == "broken" {
			want = cli.IOErr
		}
		if status, _ := cli.StatusOf(err); story != "field" && status != want {
			t.Errorf("%s: %v (status %d), want status %d", story, err, status, want)
		}
	}
}

type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e) <= len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken pipe") }

func FuzzQualify(f *testing.F) {
	for _, s := range []string{"", "root", `a@b, "c d" <e>, g: h, i;`, `"`, `\`, "((", "<", "<a@b:c>", "a\r\n b", "a\x00@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := qualify(s, 0, "h.example")
		if strings.ReplaceAll(got, "@h.example", "") != strings.ReplaceAll(s, "@h.example", "") {
			t.Errorf("%q became %q: more than names of this host was added", s, got)
		}
		if again := qualify(got, 0, "h.example"); again != got {
			t.Errorf("%q became %q and then %q", s, got, again)
		}
	})
}
