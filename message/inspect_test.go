package message_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/message"
)

const twoParts = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"

func TestAnInspectorSaysWhatAMessageAsksOfTheRoad(t *testing.T) {
	for _, c := range []struct {
		story, message string
		want           message.Traits
	}{
		{"nothing", "", message.Traits{}},
		{"plain", "A: 1\r\n\r\nbody\r\n", message.Traits{LongestLine: 4}},
		{"a header in UTF-8", "Subject: é\r\n\r\nbody\r\n", message.Traits{LongestLine: 11, UTF8Header: true}},
		{"a folded header in UTF-8", "Subject: a\r\n é\r\n\r\nbody\r\n", message.Traits{LongestLine: 10, UTF8Header: true}},
		{"a body in UTF-8", "A: 1\r\n\r\né: 1\r\n", message.Traits{LongestLine: 5, Body8Bit: true}},
		{"a last line without end", "A: 1\r\n\r\nabé", message.Traits{LongestLine: 4, Body8Bit: true}},
		{"a header without end", "A: é", message.Traits{LongestLine: 5, UTF8Header: true}},
		{"the header of a part", twoParts + "Content-Description: é\r\n\r\nx\r\n--b--\r\n", message.Traits{LongestLine: 41, UTF8Header: true}},
		{"the body of a part", twoParts + "A: 1\r\n\r\né\r\n--b--\r\n", message.Traits{LongestLine: 41, Body8Bit: true}},
		{"the text around parts", twoParts + "\r\n--b--\r\né\r\n", message.Traits{LongestLine: 41, Body8Bit: true}},
		{"a message in a part", twoParts + "Content-Type: message/rfc822\r\n\r\nSubject: é\r\n\r\nx\r\n--b--\r\n", message.Traits{LongestLine: 41, UTF8Header: true}},
		{"a message in base64 is none", twoParts + "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nSubject: é\r\n--b--\r\n", message.Traits{LongestLine: 41, Body8Bit: true}},
		{"NUL", "A: 1\r\n\r\na\x00\r\n", message.Traits{LongestLine: 4, NUL: true}},
		{"a bare CR", "A: 1\r\n\r\na\rb\r\n", message.Traits{LongestLine: 4, BareCR: true}},
		{"a bare CR at the end", "A: 1\r\n\r\na\r", message.Traits{LongestLine: 4, BareCR: true}},
		{"CR CR LF", "A: 1\r\n\r\na\r\r\n", message.Traits{LongestLine: 4, BareCR: true}},
		{"a bare LF", "A: 1\r\n\r\na\nb\r\n", message.Traits{LongestLine: 4, BareLF: true}},
		{"a long line", "A: 1\r\n\r\n" + strings.Repeat("x", 5000) + "\r\n", message.Traits{LongestLine: 5000}},
	} {
		var i message.Inspector
		io.WriteString(&i, c.message)
		if diff := cmp.Diff(c.want, i.Traits()); diff != "" {
			t.Errorf("%s: %s", c.story, diff)
		}
	}
}

func TestAnInspectorDoesNotMindHowTheMessageIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := mimeTree().Draw(t, "message")
		msg += rapid.StringOf(rapid.SampledFrom([]rune("\r\n\x00-bé"))).Draw(t, "tail")
		msg += strings.Repeat("x", rapid.SampledFrom([]int{0, 2040, 2050, 5000}).Draw(t, "long")) + "\r\n"
		var whole, halves, bytes message.Inspector
		io.WriteString(&whole, msg)
		cut := rapid.IntRange(0, len(msg)).Draw(t, "cut")
		io.WriteString(&halves, msg[:cut])
		halves.Traits() // changes nothing
		io.WriteString(&halves, msg[cut:])
		io.Copy(&bytes, iotest.OneByteReader(strings.NewReader(msg)))
		if whole.Traits() != halves.Traits() || whole.Traits() != bytes.Traits() {
			t.Fatalf("%q: whole %+v, halves %+v, bytes %+v", msg, whole.Traits(), halves.Traits(), bytes.Traits())
		}
		if got := whole.Traits(); (got.Body8Bit || got.UTF8Header) == isASCII(msg) || got.NUL != strings.Contains(msg, "\x00") {
			t.Fatalf("%q: %+v", msg, got)
		}
	})
}

func BenchmarkInspector(b *testing.B) {
	line := strings.Repeat("x", 76) + "\r\n"
	for name, msg := range map[string]string{
		"text":      "A: 1\r\n\r\n" + strings.Repeat(line, 1000),
		"multipart": twoParts + "\r\n" + strings.Repeat(line, 1000),
		"8bit":      "A: 1\r\n\r\n" + strings.Repeat("é"+line, 1000),
	} {
		b.Run(name, func(b *testing.B) {
			p := []byte(msg)
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				var i message.Inspector
				i.Write(p)
			}
		})
	}
}
