package smtp

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// archive reads a txtar file of testdata: each section is one case.
func archive(t *testing.T, file string, yield func(name, data string)) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	sections := txtar.Parse(data).Files
	if len(sections) < 5 {
		t.Fatalf("%s has only %d sections", file, len(sections))
	}
	for _, f := range sections {
		yield(f.Name, string(f.Data))
	}
}

// TestRepliesAsTheyAreRead plays each section of replies.txt, whose lines behind
// "->" say what is understood.
func TestRepliesAsTheyAreRead(t *testing.T) {
	archive(t, "replies.txt", func(name, data string) {
		wire, want, ok := strings.Cut(data, "->")
		if !ok {
			t.Fatalf("%s: no ->", name)
		}
		want = strings.Trim(strings.ReplaceAll(want, "->", ""), " \n")
		got := understood(spellOut(strings.ReplaceAll(wire, "\n", "\r\n")))
		if !strings.HasPrefix(got, spellOut(want)) {
			t.Errorf("%s: understood as\n%s\nwant\n%s", name, got, want)
		}
	})
}

// understood tells what a client reads, line by line: "code|enhanced|text".
func understood(wire string) string {
	r := NewReader(strings.NewReader(wire), nil)
	var said []string
	for {
		reply, err := r.Reply()
		if err == io.EOF {
			return strings.Join(said, "\n")
		}
		if err != nil {
			return strings.Join(append(said, "error: "+err.Error()), "\n")
		}
		for line := range strings.SplitSeq(reply.Text, "\n") {
			said = append(said, strings.TrimRight(reply.Code.String()+"|"+reply.Enhanced.String()+"|"+line, " "))
		}
	}
}

func TestEndlessRepliesAreBounded(t *testing.T) {
	for name, line := range map[string]string{
		"short lines": "250-x\r\n",
		"long lines":  "250-" + strings.Repeat("x", MaxReplyLine-6) + "\r\n",
	} {
		read := 0
		r := NewReader(readerFunc(func(p []byte) (int, error) {
			n := copy(p, line[read%len(line):])
			read += n
			return n, nil
		}), nil)
		if _, err := r.Reply(); err != ErrReplyTooLong || read > MaxReplyBytes+2*bufferSize {
			t.Errorf("%s: %v after %d octets", name, err, read)
		}
	}
	r := NewReader(strings.NewReader("250 "+strings.Repeat("x", MaxReplyLine)+"\r\n"), nil)
	if _, err := r.Reply(); err != ErrLineTooLong {
		t.Errorf("one line of %d octets: %v", MaxReplyLine+6, err)
	}
}

func TestMalformedRepliesAreTyped(t *testing.T) {
	var malformed *MalformedReplyError
	r := NewReader(strings.NewReader("HTTP/1.1 400 Bad Request\r\n"), nil)
	if _, err := r.Reply(); !errors.As(err, &malformed) || malformed.Line != "HTTP/1.1 400 Bad Request" || malformed.Reason == "" {
		t.Errorf("%v", err)
	}
}

func TestRepliesAsTheyArePrinted(t *testing.T) {
	long := strings.Repeat("0123456789", 60)
	for _, c := range []struct {
		name  string
		reply Reply
		utf8  bool
		want  string
	}{
		{"one line", Reply{250, EnhancedCode{2, 1, 0}, "Ok"}, false, "250 2.1.0 Ok\r\n"},
		{"no enhanced code", Reply{354, EnhancedCode{}, "Go on"}, false, "354 Go on\r\n"},
		{"no text", Reply{Code: 250}, false, "250 \r\n"},
		{"lines", Reply{550, EnhancedCode{5, 1, 1}, "one\n\nthree"}, false, "550-5.1.1 one\r\n550-5.1.1 \r\n550 5.1.1 three\r\n"},
		{"control characters", Reply{250, EnhancedCode{}, "a\r\nb\rc\x00d\x7fe\tf\x1b[2J"}, false, "250-a?\r\n250 b?c?d?e\tf?[2J\r\n"},
		{"UTF-8 where it is allowed", Reply{250, EnhancedCode{}, "é用\xff\u0085"}, true, "250 é用??\r\n"},
		{"UTF-8 where it is not", Reply{250, EnhancedCode{}, "é用\xff\u0085"}, false, "250 ????\r\n"},
		{"a long line", Reply{250, EnhancedCode{2, 0, 0}, long}, false, "250-2.0.0 " + long[:500] + "\r\n250 2.0.0 " + long[500:] + "\r\n"},
		{"a long line in UTF-8", Reply{250, EnhancedCode{}, "x" + strings.Repeat("é", 300)}, true, "250-x" + strings.Repeat("é", 252) + "\r\n250 " + strings.Repeat("é", 48) + "\r\n"},
	} {
		if got := string(c.reply.Append([]byte("x"), c.utf8)); got != "x"+c.want {
			t.Errorf("%s:\n%q, want\n%q", c.name, got, "x"+c.want)
		}
	}
}

func TestRepliesAsErrorsAreOneCleanLine(t *testing.T) {
	err := error(Replyf(550, EnhancedCode{5, 1, 1}, "no\nsuch %s", "user\r\x1b[2J é"))
	if got := err.Error(); got != "550 5.1.1 no such user??[2J é" {
		t.Errorf("%q", got)
	}
	if got := (&Reply{Code: 421, Text: "later"}).Error(); got != "421 later" {
		t.Errorf("%q", got)
	}
}

func TestEnhancedCodesAsTheyAreRead(t *testing.T) {
	for s, want := range map[string]EnhancedCode{
		"2.0.0": {2, 0, 0}, "4.7.28": {4, 7, 28}, "5.999.999": {5, 999, 999},
		"": {}, "3.0.0": {}, "5.1": {}, "5.1.1.1": {}, "5.1.1000": {}, "5..1": {}, "5.1.1 ": {}, "5.1.1x": {}, "-5.1.1": {}, "55.1.1": {},
	} {
		got, ok := ParseEnhancedCode(s)
		if got != want || ok != (want != EnhancedCode{}) {
			t.Errorf("%q is %v, %t; want %v", s, got, ok, want)
		}
		if ok && got.String() != s {
			t.Errorf("%q is printed as %q", s, got)
		}
	}
}
