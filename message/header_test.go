package message_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/message"
)

// headers are messages, with the fields, the end and the body that they have.
var headers = []struct {
	story, message string
	fields         []string // name=value
	end, body      string
}{
	{"plain", "A: 1\r\nB: 2\r\n\r\nbody\r\n", []string{"A=1", "B=2"}, "\r\n", "body\r\n"},
	{"folded", "A: 1\r\n\t2\r\n  3\r\n\r\n", []string{"A=1\t2  3"}, "\r\n", ""},
	{"a space before the colon", "Subject : x\r\n\r\n", []string{"Subject=x"}, "\r\n", ""},
	{"LF only", "A: 1\n 2\n\nbody\n", []string{"A=1 2"}, "\n", "body\n"},
	{"no body", "A: 1\r\n", []string{"A=1"}, "", ""},
	{"no line end", "A: 1", []string{"A=1"}, "", ""},
	{"nothing", "", nil, "", ""},
	{"no header", "\r\nbody", nil, "\r\n", "body"},
	{"a line that is no field begins the body", "A: 1\r\nno field\r\nB: 2\r\n", []string{"A=1"}, "", "no field\r\nB: 2\r\n"},
	{"white space that continues nothing", " x\r\nA: 1\r\n", nil, "", " x\r\nA: 1\r\n"},
	{"a name in UTF-8 is none", "é: 1\r\n", nil, "", "é: 1\r\n"},
	{"a mailbox line", "From a@b Tue Jul  1 09:30:00 2025\r\nA: 1\r\n\r\n", []string{"=From a@b Tue Jul  1 09:30:00 2025", "A=1"}, "\r\n", ""},
	{"a mailbox line in the middle", "A: 1\r\nFrom a@b Tue Jul\r\n", []string{"A=1"}, "", "From a@b Tue Jul\r\n"},
	{"white space alone continues a field", "A: 1\r\n \r\nB: 2\r\n", []string{"A=1", "B=2"}, "", ""},
	{"stray bytes", "A: a\rb\x00c\r\n\r\n", []string{"A=abc"}, "\r\n", ""},
}

func TestFieldsAreReadOneByOne(t *testing.T) {
	for _, c := range headers {
		t.Run(c.story, func(t *testing.T) {
			h := message.NewHeaderReader(iotest.OneByteReader(strings.NewReader(c.message)), message.HeaderLimits{})
			var fields []string
			f, err := h.Next()
			for ; err == nil; f, err = h.Next() {
				fields = append(fields, f.Name()+"="+f.Value())
			}
			body, bodyErr := io.ReadAll(h.Body())
			if err != io.EOF || bodyErr != nil {
				t.Fatal(err, bodyErr)
			}
			if diff := cmp.Diff(c.fields, fields); diff != "" || c.end != string(h.End()) || c.body != string(body) {
				t.Errorf("end %q, body %q, fields %s", h.End(), body, diff)
			}
		})
	}
}

func TestABufferedReaderGoesOnAtTheNextByte(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("A: 1\r\n\r\nbody"))
	if _, _, err := message.ReadHeader(r, message.HeaderLimits{}); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "body" {
		t.Errorf("%q", rest)
	}
}

func TestTextIsDecodedAndOnOneLine(t *testing.T) {
	f := message.RawField("Subject: =?utf-8?b?5L2g?=\r\n =?utf-8?q?=E5=A5?= =?utf-8?q?=BD=0D=0A?= \xff\r\n")
	if f.Text() != "你好\uFFFD\uFFFD \uFFFD" {
		t.Errorf("%q", f.Text())
	}
}

func TestAHeaderIsBounded(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("A: 1\r\n"), zeros{})
	fields := strings.Repeat("A: 1\r\n", 1001)
	for _, c := range []struct {
		r      io.Reader
		limits message.HeaderLimits
		line   int
	}{
		{endless, message.HeaderLimits{}, 2},
		{strings.NewReader(fields), message.HeaderLimits{}, 1001},
		{strings.NewReader(fields), message.HeaderLimits{Fields: 5}, 6},
		{strings.NewReader(fields), message.HeaderLimits{Bytes: 17}, 3},
		{strings.NewReader("A: 1\r\n" + strings.Repeat(" x\r\n", 1<<20)), message.HeaderLimits{}, 1 << 20 / 4},
	} {
		_, _, err := message.ReadHeader(c.r, c.limits)
		var bad *message.HeaderError
		if !errors.As(err, &bad) || bad.Line != c.line {
			t.Errorf("got %v, want an error in line %d", err, c.line)
		}
	}
	broken := errors.New("broken")
	if _, _, err := message.ReadHeader(io.MultiReader(strings.NewReader("A: 1\r\n"), iotest.ErrReader(broken)), message.HeaderLimits{}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func FuzzHeaderReader(f *testing.F) {
	for _, c := range headers {
		f.Add([]byte(c.message))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h := message.NewHeaderReader(iotest.HalfReader(bytes.NewReader(data)), message.HeaderLimits{})
		var all []byte
		f, err := h.Next()
		for ; err == nil; f, err = h.Next() {
			all = append(all, f...)
			if strings.ContainsAny(f.Value()+f.Text()+f.Name(), "\r\n\x00") {
				t.Fatalf("%q", f)
			}
		}
		if err != io.EOF {
			return
		}
		all = append(all, h.End()...)
		body, err := io.ReadAll(h.Body())
		if err != nil || !bytes.Equal(append(all, body...), data) {
			t.Fatalf("%q became %q", data, append(all, body...))
		}
	})
}
