package message_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/posthouse/posthouse/message"
)

// FuzzText: the text of a field, encoded words undone, is one line of valid UTF-8, and not much longer
// than what it was made of.
func FuzzText(f *testing.F) {
	for _, s := range []string{
		"Subject: =?utf-8?b?5L2g?=\r\n =?utf-8?q?=E5=A5?= =?utf-8?q?=BD=0D=0A?= \xff\r\n", "Subject: =?gb18030?b?xOM=?=", "Subject: =?x?q?a?=",
		"Subject: =?utf-8?q?=1B[2J?=", "Subject:", "Subject: =?utf-8?b?" + strings.Repeat("A", 1000) + "?=", "no field", "Subject: =?iso-2022-jp?b?GyRC?=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := message.RawField(s).Text()
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00") {
			t.Errorf("%q reads %q", s, text)
		}
		if len(text) > 16*len(s)+64 {
			t.Errorf("%d octets read as %d", len(s), len(text))
		}
	})
}

// FuzzInspector: what a message asks of the road does not hang on how it is cut.
func FuzzInspector(f *testing.F) {
	for _, s := range []string{"A: é\r\n\r\né\r\n", twoParts + "A: 1\r\n\r\né\r\n--b--\r\n", "A: 1\r\n\r\na\rb\nc\x00", "\r", "--b\r\n"} {
		f.Add([]byte(s), uint16(len(s)/2))
	}
	f.Fuzz(func(t *testing.T, text []byte, cut uint16) {
		var whole, halves message.Inspector
		_, _ = whole.Write(text) // never fails
		n := min(int(cut), len(text))
		_, _ = halves.Write(text[:n])
		halves.Traits() // changes nothing
		_, _ = halves.Write(text[n:])
		if whole.Traits() != halves.Traits() {
			t.Errorf("%q: whole %+v, cut at %d %+v", text, whole.Traits(), n, halves.Traits())
		}
	})
}
