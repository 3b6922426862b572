package verify

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestLineEnds: however a message was stored, it is read as it came, and as often as it is opened.
func TestLineEnds(t *testing.T) {
	for text, want := range map[string]string{
		"A: b\n\nc\n":                        "A: b\r\n\r\nc\r\n",
		"A: b\r\n\r\nc\nd\r\n":               "A: b\r\n\r\nc\nd\r\n", // as it came
		"From li Mon Nov 23\nA: b\n\nFrom c": "A: b\r\n\r\nFrom c",
		"\n\n":                               "\r\n\r\n",
		"":                                   "",
	} {
		c, err := open(strings.NewReader(text), "-")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r, err := c.Open()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(iotest.OneByteReader(r))
			if err != nil || string(got) != want {
				t.Errorf("%q is read as %q, %v; want %q", text, got, err, want)
			}
		}
	}
}

func TestTooLargeAnInput(t *testing.T) {
	if _, err := open(io.LimitReader(zeroes{}, maxInput+1), "-"); err == nil || !strings.Contains(err.Error(), "name a file") {
		t.Errorf("%v", err)
	}
	if _, err := open(bytes.NewReader(nil), t.TempDir()); err == nil {
		t.Error("a directory is a message")
	}
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { return len(p), nil }
