package transport_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/posthouse/posthouse/internal/transport"
)

// FuzzUnixText: each CRLF becomes an LF, and nothing else changes, however the text is read.
func FuzzUnixText(f *testing.F) {
	for _, s := range []string{"", "a\r\nb\r\n", "\r\r\n\n", "\r", strings.Repeat("x", 4095) + "\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := strings.ReplaceAll(text, "\r\n", "\n")
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.HalfReader(strings.NewReader(text))} {
			if got, err := io.ReadAll(transport.UnixText(r)); string(got) != want || err != nil {
				t.Errorf("%q became %q, %v", text, got, err)
			}
		}
	})
}
