package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/mail"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/message"
)

// mimeTree draws well-formed messages whose leaves hold anything but a
// boundary.
func mimeTree() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var n int
		return "From: a@example.org\r\nMIME-Version: 1.0\r\n" + mimePart(t, 3, &n)
	})
}

func mimePart(t *rapid.T, depth int, n *int) string {
	*n++
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	switch {
	case kind == 0 && depth > 0:
		return label(t, "message/rfc822") + "\r\nSubject: inner\r\nMIME-Version: 1.0\r\n" + mimePart(t, depth-1, n)
	case kind <= 2 && depth > 0:
		boundary := fmt.Sprintf("b%d", *n)
		s := label(t, "multipart/mixed; boundary="+boundary) + "\r\npreamble\r\n"
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			s += "--" + boundary + "\r\n" + mimePart(t, depth-1, n) + "\r\n"
		}
		return s + "--" + boundary + "--\r\n"
	}
	typ := rapid.SampledFrom([]string{"", "text/plain; charset=utf-8", "image/png"}).Draw(t, "type")
	return label(t, typ) + "\r\n" + content().Draw(t, "content")
}

func label(t *rapid.T, typ string) (s string) {
	if typ != "" {
		s = "Content-Type: " + typ + "\r\n"
	}
	if e := rapid.SampledFrom([]string{"", "7bit", "8bit", "BINARY"}).Draw(t, "encoding"); e != "" {
		s += "Content-Transfer-Encoding: " + e + "\r\n"
	}
	return s
}

func content() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringOf(rapid.SampledFrom([]rune("ab= \t.-é\u00e9\x00"))),
		rapid.StringOf(rapid.SampledFrom([]rune("ab= \t.\r\n"))),
		rapid.StringMatching(`([ -~]{0,80}\r\n){0,5}`).Filter(func(s string) bool { return !strings.Contains(s, "--b") }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 100), func(b []byte) string { return string(b) }).Filter(func(s string) bool { return !strings.Contains(s, "--b") }),
		rapid.SampledFrom([]string{strings.Repeat("x", 998), strings.Repeat("x", 999), strings.Repeat("é ", 900)}),
	)
}

// flatten decodes every leaf, those of messages in the message too.
func flatten(t interface{ Fatal(...any) }, eml string) []leaf {
	var all []leaf
	m, err := mail.ReadMessage(strings.NewReader(eml))
	if err != nil {
		t.Fatal(err, eml)
	}
	for _, l := range leaves(t, m) {
		if strings.HasPrefix(l.typ, "message/rfc822") {
			all = append(all, flatten(t, l.content)...)
		} else {
			all = append(all, l)
		}
	}
	return all
}

func TestEveryLeafDecodesToWhatItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := mimeTree().Draw(t, "message")
		for name, r := range map[string]io.Reader{"twice": strings.NewReader(in), "once": io.MultiReader(strings.NewReader(in))} {
			out := encode7(t, r)
			want, got := flatten(t, in), flatten(t, out)
			if len(want) != len(got) {
				t.Fatalf("%s: %d leaves became %d:\n%q\n%q", name, len(want), len(got), in, out)
			}
			for i := range want {
				if want[i].content != got[i].content {
					t.Fatalf("%s: %q became %q:\n%q\n%q", name, want[i].content, got[i].content, in, out)
				}
				switch strings.ToLower(got[i].encoding) {
				case "", "7bit", "quoted-printable", "base64":
				default:
					t.Fatal("encoding", got[i].encoding)
				}
			}
			check7Bit(t, out)
		}
	})
}

func encode7(t interface{ Fatal(...any) }, r io.Reader) string {
	var b bytes.Buffer
	if err := message.Encode7Bit(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// check7Bit holds a message to RFC 2045, 2.7.
func check7Bit(t interface{ Fatal(...any) }, s string) {
	var i message.Inspector
	io.WriteString(&i, s)
	if got := i.Traits(); got.Body8Bit || got.NUL || got.BareCR || got.BareLF || got.LongestLine > 998 {
		t.Fatal(fmt.Sprintf("%+v: %q", got, s))
	}
}

func TestWhatIsSevenBitStaysByteForByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := encode7(t, strings.NewReader(mimeTree().Draw(t, "message")))
		if out := encode7(t, strings.NewReader(in)); out != in {
			t.Fatal(cmp.Diff(in, out))
		}
	})
}

// TestALongMessageThatCannotBeReadTwiceIsEncodedWhole: then even a leaf that
// is 7bit may be encoded, but decodes to what it was.
func TestALongMessageThatCannotBeReadTwiceIsEncodedWhole(t *testing.T) {
	text := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10_000)
	in := twoParts + "\r\n" + text + "\r\n--b\r\nContent-Type: image/png\r\n\r\né\r\n--b--\r\n"
	got := flatten(t, encode7(t, io.MultiReader(strings.NewReader(in))))
	if len(got) != 2 || got[0].content != text || got[0].encoding != "quoted-printable" || got[1].content != "é" {
		t.Errorf("%.200q", got)
	}
	if out := encode7(t, strings.NewReader(in)); !strings.Contains(out, "\r\n\r\n"+text+"\r\n--b\r\n") {
		t.Error("read twice, the 7bit leaf should stay")
	}
}

func TestHostileMIMEIsBounded(t *testing.T) {
	var deep strings.Builder
	for i := range 60 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for story, c := range map[string]struct {
		in   string
		want error
	}{
		"deep":          {deep.String(), message.ErrTooComplex},
		"many":          {twoParts + strings.Repeat("\r\n--b\r\n", 11_000), message.ErrTooComplex},
		"no boundary":   {"Content-Type: multipart/mixed\r\n\r\né", message.ErrNot7Bit},
		"messages":      {strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 11_000), message.ErrTooComplex},
		"few and clean": {"Content-Type: multipart/mixed\r\n\r\ne", nil},
	} {
		if err := message.Encode7Bit(io.Discard, strings.NewReader(c.in)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", story, err, c.want)
		}
		var i message.Inspector
		io.WriteString(&i, c.in)
	}
	var bad *message.HeaderError
	if err := message.Encode7Bit(io.Discard, strings.NewReader("A: "+strings.Repeat("x", 1<<20))); !errors.As(err, &bad) {
		t.Error("a header of more than 1 MiB:", err)
	}
}

// TestALargeMessageIsMadeSevenBitInLittleMemory counts all that is allocated.
func TestALargeMessageIsMadeSevenBitInLittleMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := message.Encode7Bit(io.Discard, io.MultiReader(strings.NewReader("Content-Type: image/png\r\n\r\n"), io.LimitReader(zeros{}, 64<<20)))
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err != nil || used > 8<<20 {
		t.Error(err, used)
	}
}

func TestTheReaderIsReadFromWhereItStands(t *testing.T) {
	r := strings.NewReader("envelope\r\nA: 1\r\n\r\nx\r\n")
	io.CopyN(io.Discard, r, 10)
	if out := encode7(t, r); out != "A: 1\r\n\r\nx\r\n" {
		t.Errorf("%q", out)
	}
}

func FuzzEncode7Bit(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		f.Add([]byte(mimeTree().Example(i)), rng.Uint64()%2 == 0)
	}
	f.Add([]byte("Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n--b--"), false)
	f.Fuzz(func(t *testing.T, data []byte, once bool) {
		var r io.Reader = bytes.NewReader(data)
		if once {
			r = io.MultiReader(r)
		}
		var out bytes.Buffer
		if err := message.Encode7Bit(&out, r); err != nil {
			return
		}
		var in, now message.Inspector
		in.Write(data)
		now.Write(out.Bytes())
		if now.Traits().Body8Bit && !in.Traits().UTF8Header {
			t.Fatalf("%q became %q", data, out.String())
		}
		if got := in.Traits(); !got.Body8Bit && !got.NUL && !got.BareCR && !got.BareLF && got.LongestLine <= 998 && !bytes.Contains(bytes.ToLower(data), []byte("encoding")) && !bytes.Equal(data, out.Bytes()) {
			t.Fatalf("%q was 7-bit and became %q", data, out.String())
		}
	})
}
