package transport_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/posthouse/posthouse/internal/transport"
)

func TestUnixText(t *testing.T) {
	long := strings.Repeat("x", 4095)
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"a\r\nb\r\n", "a\nb\n"},
		{"\r\n\r\n", "\n\n"},
		{"a\rb\r\r\n\n", "a\rb\r\n\n"},
		{"no end\r", "no end\r"},
		{long + "\r\n" + long + "\r\n", long + "\n" + long + "\n"},
		{long + "\ry\r\n", long + "\ry\n"},
		{long + long + "\r\n", long + long + "\n"},
	} {
		for name, read := range map[string]io.Reader{
			"whole":  strings.NewReader(c.text),
			"octets": iotest.OneByteReader(strings.NewReader(c.text)),
			"at end": iotest.DataErrReader(strings.NewReader(c.text)),
		} {
			if got, err := io.ReadAll(transport.UnixText(read)); string(got) != c.want || err != nil {
				t.Errorf("%s, %.20q: %.40q, %v", name, c.text, got, err)
			}
		}
		if got, err := io.ReadAll(iotest.OneByteReader(transport.UnixText(strings.NewReader(c.text)))); string(got) != c.want || err != nil {
			t.Errorf("taken by octets, %.20q: %.40q, %v", c.text, got, err)
		}
	}
	fire := errors.New("disk on fire")
	if got, err := io.ReadAll(transport.UnixText(io.MultiReader(strings.NewReader("a\r\nb"), iotest.ErrReader(fire)))); string(got) != "a\nb" || !errors.Is(err, fire) {
		t.Errorf("%q, %v", got, err)
	}
}
