package smtp

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzPath(f *testing.F) {
	seed(f, "paths.txt", func(row string) { f.Add(strings.TrimRight(strings.Split(strings.Split(row, "| ")[0], "! ")[0], " ")) })
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			if p != (Path{}) {
				t.Errorf("%q: %q beside the error %v", s, p, err)
			}
			return
		}
		line := string(p.append(nil))
		if again, err := ParsePath(line); err != nil || again != p || hasControl(line) || len(line) > MaxPath {
			t.Errorf("%q is %q, and printed %q is %q, %v", s, p, line, again, err)
		}
		if !p.Equal(p) {
			t.Errorf("%q is not itself", p)
		}
		for _, q := range []Path{p.ToUnicode(), inASCII(p)} {
			if again, err := ParsePath(string(q.append(nil))); err != nil || again != q {
				t.Errorf("%q became %q, which is read as %q, %v", p, q, again, err)
			}
		}
	})
}

func inASCII(p Path) Path {
	if a, err := p.ToASCII(); err == nil {
		return a
	}
	return p
}

// seed gives the rows of a table to a fuzz target.
func seed(f *testing.F, file string, add func(row string)) {
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		f.Fatal(err)
	}
	for row := range strings.SplitSeq(string(data), "\n") {
		if row != "" && row[0] != '#' {
			add(spellOut(row))
		}
	}
}

func FuzzCommand(f *testing.F) {
	seed(f, "commands.txt", func(row string) {
		line := []byte(strings.TrimRight(strings.Split(strings.Split(row, "| ")[0], "! ")[0], " "))
		f.Add(line, uint32(everyExtension), false)
		f.Add(line, uint32(0), true)
	})
	f.Fuzz(func(t *testing.T, line []byte, offers uint32, strict bool) {
		g := Grammar{Offers: ExtensionSet(offers), Strict: strict}
		c, err := g.Parse(line)
		if err != nil {
			r, ok := err.(*Reply)
			if !ok || c == nil || !c.Verb().Permits(r.Code) || r.Enhanced.IsZero() {
				t.Errorf("%q: %+v, %v is no answer", line, c, err)
			}
			checkReplyLines(t, r)
			return
		}
		printed, err := AppendCommand(nil, c)
		if err != nil {
			if !mayBeUnprintable(c) {
				t.Errorf("%q is %+v, and cannot be printed: %v", line, c, err)
			}
			return
		}
		if bytes.ContainsAny(printed[:len(printed)-2], "\r\n\x00") {
			t.Errorf("%q is printed as %q", line, printed)
		}
		again, err := g.Parse(printed[:len(printed)-2])
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%q is %+v, and printed %q is %+v, %v", line, c, printed, again, err)
		}
	})
}

// mayBeUnprintable names the two commands that can be read and not sent: words
// that stand for another verb to others, and XCLIENT, which grows when all that
// should be encoded is.
func mayBeUnprintable(c Command) bool {
	u, unknown := c.(Unknown)
	_, xclient := c.(XClient)
	return xclient || unknown && ParseVerb(u.Name, true) != VerbUnknown
}

func checkReplyLines(t *testing.T, r *Reply) {
	t.Helper()
	wire := string(r.Append(nil, true))
	for line := range strings.SplitAfterSeq(wire, "\r\n") {
		text, whole := strings.CutSuffix(line, "\r\n")
		if len(line) > maxReplyLine || line != "" && !whole || hasControl(strings.ReplaceAll(text, "\t", "")) || !utf8.ValidString(text) {
			t.Errorf("the reply has the line %q", line)
		}
	}
	for _, b := range r.Append(nil, false) {
		if b >= utf8.RuneSelf {
			t.Errorf("the reply has the octet %x", b)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 2.0.0 Ok", "250-a\r\n250 b", "550-5.1.1 a\r\n550 5.1.1 b", "250", "25", "250-a\r\n251 b", "250 " + strings.Repeat("é", 400)} {
		f.Add([]byte(s + "\r\n"))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		first, err := readReply(wire)
		if err != nil {
			return
		}
		checkReplyLines(t, first)
		second, err := readReply(first.Append(nil, true))
		if err == ErrReplyTooLong {
			return // its long lines were broken in two
		}
		if err != nil || second.Code != first.Code || second.Enhanced != first.Enhanced {
			t.Fatalf("%q is %v, and printed and read again %v, %v", wire, first, second, err)
		}
		third, err := readReply(second.Append(nil, true))
		if err != nil || *third != *second {
			t.Errorf("%q is %v, and then %v, %v", wire, second, third, err)
		}
	})
}

func readReply(wire []byte) (*Reply, error) { return NewReader(bytes.NewReader(wire), nil).Reply() }

func FuzzExtensions(f *testing.F) {
	for _, s := range []string{
		"SIZE 5\nAUTH PLAIN LOGIN\nAUTH=PLAIN", "FUTURERELEASE 5 2026-12-24T18:00:00.5+01:00", "LIMITS RCPTMAX=5 MAILMAX=6",
		"DELIVERBY 5\nMT-PRIORITY STANAG4406", "XCLIENT ADDR NAME", "X-NEW a b", "\n\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x := ehlo(text)
		if again := ehlo(x.Lines()...); !reflect.DeepEqual(again, x) {
			t.Errorf("%q is %+v, and printed %q is %+v", text, x, x.Lines(), again)
		}
	})
}

func FuzzDotReader(f *testing.F) {
	for _, s := range []string{".\r\n", "a\r\n.\r\nQ", "..a\r\n.\r\n", "a.\r\n\n.\r\n", "a\r\r\n.\r\n", "a\n.\n.\r\n.\r\n"} {
		f.Add([]byte(s), uint64(0))
		f.Add([]byte(s), octetwise)
	}
	f.Fuzz(func(t *testing.T, in []byte, cuts uint64) {
		text, used, fault, ended := oneByOne(in, nil)
		if !ended {
			fault = io.ErrUnexpectedEOF
		}
		src := &pieces{in, cuts}
		r := NewReader(src, nil)
		d := r.Dot(TextLimits{})
		got, _ := io.ReadAll(onlyReader{d})
		if err := d.Drain(); err != fault || fault == nil && !bytes.Equal(got, text) {
			t.Errorf("%q cut %b: %q, %v; want %q, %v", in, cuts, got, err, text, fault)
		}
		if rest := len(src.left) + r.Buffered(); ended && rest != len(in)-used {
			t.Errorf("%q cut %b: %d octets are left, want %d", in, cuts, rest, len(in)-used)
		}
	})
}

func FuzzDotWriter(f *testing.F) {
	for _, s := range []string{"", ".", "a\r\n.\r\n", "a\n.\n", "a\r", "\r\n.\rb"} {
		f.Add([]byte(s), uint64(0))
		f.Add([]byte(s), octetwise)
	}
	f.Fuzz(func(t *testing.T, s []byte, cuts uint64) {
		var out sink
		err := dotWrite(&out, s, cuts)
		got, used, fault, ended := oneByOne(out, nil)
		want := string(s)
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		switch {
		case !isLines(s):
			if err == nil || ended {
				t.Errorf("%q cut %b: wrote %q, %v; want a refusal and no end", s, cuts, out, err)
			}
		case err != nil || fault != nil || !ended || used != len(out) || string(got) != want:
			t.Errorf("%q cut %b: wrote %q, %v; is read as %q", s, cuts, out, err, got)
		}
	})
}

func FuzzChunk(f *testing.F) {
	f.Add([]byte("a\r\nb\r\n"), 3, uint64(0))
	f.Add([]byte("a\rb\n"), 9, octetwise)
	f.Fuzz(func(t *testing.T, in []byte, size int, cuts uint64) {
		r := NewReader(&pieces{in, cuts}, nil)
		c := r.Chunk(int64(size))
		got, err := io.ReadAll(onlyReader{c})
		if want := min(max(size, 0), len(in)); string(got) != string(in[:want]) || (err == nil) != (size <= len(in)) {
			t.Errorf("chunk of %d of %q: %q, %v", size, in, got, err)
		}
		if err := checkLines(0, in, cuts); (err == nil) != isLines(in) {
			t.Errorf("%q cut %b: %v, want lines: %t", in, cuts, err, isLines(in))
		}
	})
}

func FuzzXText(f *testing.F) {
	for _, s := range []string{"", "a+b=c d", "+", "+4", "+41", "\\x{E9}", "\\x{}", "\\", "é\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x := string(appendXText(nil, s))
		if got, err := decodeXText(x); err != nil || got != s || len(x) != xtextLen(s) || strings.ContainsAny(x, " \r\n") {
			t.Errorf("%q is %q, and that %q, %v", s, x, got, err)
		}
		u := string(appendUniText(nil, s))
		if got, err := decodeUniText(u); utf8.ValidString(s) && (err != nil || got != s) || !isASCII(u) || strings.ContainsAny(u, " +=\r\n") {
			t.Errorf("%q is %q, and that %q, %v", s, u, got, err)
		}
		_, _ = decodeXText(s)
		_, _ = decodeUniText(s)
	})
}

// FuzzSASL: a line of an exchange is read as it was written, or refused.
func FuzzSASL(f *testing.F) {
	for _, s := range []string{"", "=", "AGJvYgBzZWNyZXQ=", "AGJvYg", "AGJvYgA\n", "****", "AB=="} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		said, err := DecodeSASL(line)
		if err != nil || bytes.ContainsAny(line, "\r\n") {
			return // base64 lets line ends pass, which no line has
		}
		if again := AppendSASL(nil, said); string(again) != string(line)+"\r\n" {
			t.Errorf("%q was read as %q, which is %q", line, said, again)
		}
	})
}

// FuzzDomain: what is a domain can stand in an address, and ends no line; what is a literal is printed as one
// that means the same.
func FuzzDomain(f *testing.F) {
	for _, s := range []string{"a.example", "bücher.example", "[192.0.2.1]", "[IPv6:2001:db8::1]", "[x:y]", "[x:<@>]", "a..b", "-a", "a\r\nb", "[IPv6:::1%25eth0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDomain(s)
		if err != nil {
			return
		}
		never := "\r\n\x00 "
		if d[0] != '[' { // a general literal may have these (RFC 5321, 4.1.3: dcontent), and ends with its bracket
			never += "<>@"
		}
		if d != s || strings.ContainsAny(d, never) {
			t.Errorf("%q was read as %q", s, d)
		}
		if a, ok := ParseLiteral(s); ok {
			if b, ok := ParseLiteral(FormatLiteral(a)); !ok || b != a.Unmap() {
				t.Errorf("%q is %v, and printed %v", s, a, b)
			}
		}
	})
}
