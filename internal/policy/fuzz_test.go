package policy_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/message"
)

// FuzzText: whatever came in, an edit adds one field and leaves the body; the size is told right.
func FuzzText(f *testing.F) {
	f.Add("Subject: hi\r\n\r\nbody", "X-New", "value\nof two lines")
	f.Add("no header at all", "X-New", "a\r\n\r\nb")
	f.Add("A: 1\r\nB", "X-New", "\x00\r \n\t\n.")
	f.Add("From me\r\n\r\n", "Bad Name", "x")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		before, err := policy.ReadText(content(text))
		if err != nil {
			return
		}
		if got := read(before); got != text {
			t.Fatalf("read %q, of %q", got, text)
		}
		after := before.Edit(&policy.Edits{Fields: []policy.FieldEdit{{Op: policy.AppendField, Field: policy.Field{Name: name, Value: value}}}})
		h, body, err := message.ReadHeader(strings.NewReader(read(after)), message.HeaderLimits{Bytes: 1 << 30, Fields: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := got.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(text, got.String()) {
			t.Errorf("the body of %q became %q", text, got.String())
		}
		if more := len(h) - len(before.Header); more != 0 && more != 1 {
			t.Errorf("%d fields more in %q", more, read(after))
		}
	})
}
