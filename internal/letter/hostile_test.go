package letter_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/letter"
)

func flat(n int) string {
	var b strings.Builder
	b.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n")
	for i := range n {
		fmt.Fprintf(&b, "--b\r\nContent-Type: text/plain\r\n\r\npart %d\r\n", i)
	}
	return b.String() + "--b--\r\n"
}

func deep(n int, boundary string) string {
	var b strings.Builder
	for i := range n {
		name := fmt.Sprintf(boundary, i)
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n", name, name)
	}
	return b.String() + "\r\nend\r\n"
}

// TestHostile: messages that were made to hurt are read in a moment, what is wrong with
// them is told, and they are still there as they came.
func TestHostile(t *testing.T) {
	for name, c := range map[string]struct{ source, problem string }{
		"nothing":                {"", "empty"},
		"20,000 parts":           {flat(20_000), "more than 10000 parts"},
		"3,000 deep":             {deep(3000, "b%d"), "more than 50 deep"},
		"3,000 deep, one mark":   {deep(3000, "b%[1]*d"), ""},
		"rfc822 in itself":       {strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 1000), "more than 50 deep"},
		"a field of 1 MiB":       {"Subject: " + strings.Repeat("a b ", 1<<18) + "\r\n\r\nhi", "header is too long"},
		"500,000 fields":         {strings.Repeat("A: b\r\n", 500_000) + "\r\nhi", "header is too long"},
		"a type of 200 KB":       {"Content-Type: text/plain; " + strings.Repeat("a; ", 60_000) + "\r\n\r\nhi", "does not follow the rules"},
		"encoded words":          {"Subject: " + strings.Repeat("=?utf-8?q?a?= ", 15_000) + "\r\n\r\nhi", ""},
		"words half begun":       {"Subject: " + strings.Repeat("=?", 30_000) + "\r\n\r\nhi", ""},
		"quoted-printable":       {"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=", 1<<20), ""},
		"base64 of 3 MB":         {"Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("QUJD\r\n", 3<<18), "longer than 2 MiB"},
		"dashes":                 {"Content-Type: multipart/mixed; boundary=-\r\n\r\n---\r\n\r\n" + strings.Repeat("-", 1<<19), "not closed"},
		"nearly boundaries":      {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + strings.Repeat("--bx\r\n", 1<<16), "not closed"},
		"16,384 <div>":           {"Content-Type: text/html\r\n\r\n" + strings.Repeat("<div>", 1<<14), ""},
		"attributes":             {"Content-Type: text/html\r\n\r\n<a " + strings.Repeat("a=1 ", 1<<16) + ">", ""},
		"styles":                 {"Content-Type: text/html\r\n\r\n<p style='" + strings.Repeat("color:red;", 1<<13) + "'>", ""},
		"< < < <":                {"Content-Type: text/html\r\n\r\n" + strings.Repeat("<", 1<<16), ""},
		"open comments":          {"Content-Type: text/html\r\n\r\n" + strings.Repeat("<!--", 1<<16), ""},
		"entities":               {"Content-Type: text/html\r\n\r\n" + strings.Repeat("&#x1F600;&", 1<<13), ""},
		"links":                  {"\r\n" + strings.Repeat("http://a.test/( ", 1<<14), ""},
		"digits":                 {"\r\ncode " + strings.Repeat("123456 ", 1<<16), ""},
		"a header and no end":    {"Subject: x", ""},
		"a boundary that is not": {"Content-Type: multipart/mixed; boundary=b\r\n\r\nhello", "does not occur"},
		"no boundary":            {"Content-Type: multipart/mixed\r\n\r\nhello", "says no boundary"},
		"an unknown encoding":    {"Content-Transfer-Encoding: rot13\r\n\r\nuryyb", "not known"},
		"a coded multipart":      {"Content-Transfer-Encoding: base64\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--", "must not be in base64"},
		"no date that is one":    {"Date: yesterday\r\n\r\n", "is no date"},
		"two authors' fields":    {"From: a@b.test\r\nFrom: c@d.test\r\n\r\n", "2 From fields"},
	} {
		t.Run(name, func(t *testing.T) {
			l := letter.Parse([]byte(c.source))
			everything(l)
			if c.problem != "" && !strings.Contains(fmt.Sprint(l.Problems), c.problem) {
				t.Errorf("problems: %.300s", fmt.Sprint(l.Problems))
			}
			if len(l.Problems) > 101 || len(l.Parts()) > letter.MaxParts {
				t.Errorf("%d problems, %d parts", len(l.Problems), len(l.Parts()))
			}
			if string(l.Source()) != c.source {
				t.Error("the source is another")
			}
		})
	}
}

// everything asks all that a page would.
func everything(l *letter.Letter) {
	tell := []any{l.Text(), l.HTML(), l.Words(), l.Links(), l.Codes(), l.Checks(), l.Results(), l.Safe(letter.Safe{}), l.Attachments(), l.Inline()}
	for _, p := range l.Parts()[:min(50, len(l.Parts()))] {
		_, _ = io.Copy(io.Discard, p.Open())
		_, _, _ = p.Read()
		tell = append(tell, p.Size(), l.ByCID(p.ContentID), l.Part(p.Path))
	}
	_ = tell
}

// FuzzParse: whatever comes is read without a panic, within its bounds, and no script
// is left in the HTML.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", flat(3), deep(60, "b%d"), "Content-Type: text/html; charset=gbk\r\n\r\n<img src=cid:a><script>x</script>",
		"Subject: =?gb2312?b?xOO6ww==?=\r\n\r\n\x1b$B$3\x1b(B", "Content-Type: multipart/digest; boundary=\"\"\r\n\r\n--\r\n",
		"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nc", "Content-Disposition: attachment; filename*=utf-8''%e4%bd%a0\r\n\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		l := letter.Parse([]byte(source))
		everything(l)
		if l.Root == nil || len(l.Parts()) == 0 || l.Part("") != l.Root {
			t.Error("no root")
		}
		if safe := strings.ToLower(l.Safe(letter.Safe{Remote: true}).HTML); strings.Contains(safe, "<script") {
			t.Error(safe)
		}
	})
}
