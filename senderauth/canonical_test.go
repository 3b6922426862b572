package senderauth_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
)

// TestCanonicalExamples has the examples of RFC 6376, 3.4.5, and the empty
// bodies of 3.4.3 and 3.4.4.
func TestCanonicalExamples(t *testing.T) {
	fields := []string{"A: X\r\n", "B : Y\t\r\n\tZ  \r\n"}
	for form, want := range map[senderauth.Canonicalization]string{
		senderauth.Simple:  "A: X\r\nB : Y\t\r\n\tZ  \r\n",
		senderauth.Relaxed: "a:X\r\nb:Y Z\r\n",
	} {
		var got []byte
		for _, f := range fields {
			got = form.AppendField(got, []byte(f))
		}
		if string(got) != want {
			t.Errorf("%s: got %q, want %q", form, got, want)
		}
	}
	for _, c := range []struct{ body, simple, relaxed string }{
		{" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
		{"", "\r\n", ""},
		{"\r\n\r\n", "\r\n", ""},
		{" \t\r\n", " \t\r\n", ""},
		{"a", "a\r\n", "a\r\n"},
		{"a \t", "a \t\r\n", "a\r\n"},
		{"\r\n\r\na", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
		{"a\rb\nc \r d\n", "a\rb\nc \r d\n\r\n", "a\rb\nc \r d\n\r\n"},
		{"a\r\r\n", "a\r\r\n", "a\r\r\n"},
		{"a\r", "a\r\r\n", "a\r\r\n"},
	} {
		for form, want := range map[senderauth.Canonicalization]string{senderauth.Simple: c.simple, senderauth.Relaxed: c.relaxed} {
			for size := 1; size <= len(c.body)+1; size++ {
				if got := canonical(form, c.body, size); got != want {
					t.Errorf("%s of %q in pieces of %d: got %q, want %q", form, c.body, size, got, want)
				}
			}
		}
	}
}

// canonical writes a body in pieces.
func canonical(form senderauth.Canonicalization, body string, size int) string {
	var b bytes.Buffer
	w := senderauth.NewBodyWriter(&b, form)
	for body != "" {
		n := min(size, len(body))
		w.Write([]byte(body[:n]))
		body = body[n:]
	}
	w.Close()
	if w.Len() != int64(b.Len()) {
		return "a wrong length"
	}
	return b.String()
}

// FuzzBodyWriter compares the streaming form with one that reads like the RFC,
// and checks that a canonical body stays as it is.
func FuzzBodyWriter(f *testing.F) {
	f.Add("a \t\r\n \r\n\r\n", uint8(1))
	f.Add("\r\r\n\n \r", uint8(2))
	f.Fuzz(func(t *testing.T, body string, size uint8) {
		for _, form := range []senderauth.Canonicalization{senderauth.Simple, senderauth.Relaxed} {
			got := canonical(form, body, int(size)+1)
			if want := byTheLetter(form, body); got != want {
				t.Errorf("%s of %q: got %q, want %q", form, body, got, want)
			}
			if again := canonical(form, got, 7); again != got {
				t.Errorf("%s of %q is not stable: %q, then %q", form, body, got, again)
			}
		}
	})
}

func byTheLetter(form senderauth.Canonicalization, body string) string {
	lines := strings.Split(body, "\r\n")
	if form == senderauth.Relaxed {
		for i, l := range lines {
			lines[i] = squeezeBlanks(l)
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 && form == senderauth.Relaxed {
		return ""
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

func squeezeBlanks(l string) string {
	l = strings.TrimRight(strings.ReplaceAll(l, "\t", " "), " ")
	for strings.Contains(l, "  ") {
		l = strings.ReplaceAll(l, "  ", " ")
	}
	return l
}

func TestAppendSignedTakesFromTheBottom(t *testing.T) {
	header := [][]byte{[]byte("To: 1\r\n"), []byte("to : 2\r\n"), []byte("Cc: 3\r\n")}
	got := senderauth.AppendSigned(nil, senderauth.Relaxed, header, []string{"to", "Subject", "TO", "To", "cc"})
	if want := "to:2\r\nto:1\r\ncc:3\r\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAppendUnsigned(t *testing.T) {
	for field, want := range map[string]string{
		"S: a=b; b=c\r\n":              "S: a=b; b=",
		"S: b = \r\n x y \r\n ; bh=z;": "S: b =; bh=z;",
		"S: bh=b=1; B=2; b=3;":         "S: bh=b=1; B=2; b=;",
		"S: nothing":                   "S: nothing",
	} {
		if got := senderauth.AppendUnsigned(nil, senderauth.Simple, []byte(field)); string(got) != want {
			t.Errorf("%q: got %q, want %q", field, got, want)
		}
	}
}

func BenchmarkBodyWriter(b *testing.B) {
	body := []byte(strings.Repeat("Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod.\r\n", 512))
	for _, form := range []senderauth.Canonicalization{senderauth.Simple, senderauth.Relaxed} {
		b.Run(form.String(), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				body2 := senderauth.Body{}
				body2.Want(form)
				body2.Write(body)
				body2.Sum(form)
			}
		})
	}
}
