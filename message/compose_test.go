package message_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/message"
)

// letter is a message that lacks nothing.
func letter() message.Message {
	return message.Message{
		From: []message.Address{{Addr: "a@example.org"}},
		To:   message.AddressList{message.Address{Addr: "b@example.org"}},
		Date: time.Date(2025, 7, 1, 9, 30, 0, 0, time.FixedZone("", 8*60*60)),
		Text: "Hello.\n",
	}
}

func write(t interface{ Fatal(...any) }, m message.Message) string {
	var b bytes.Buffer
	n, err := m.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(b.Len()) {
		t.Fatal("WriteTo miscounts", n, b.Len())
	}
	return b.String()
}

// read parses with the strict reader of the standard library.
func read(t interface{ Fatal(...any) }, eml string) *mail.Message {
	got, err := mail.ReadMessage(strings.NewReader(eml))
	if err != nil {
		t.Fatal(err, eml)
	}
	return got
}

var (
	longLine    = regexp.MustCompile(`(?m)^.{77,}\r$`)
	encodedWord = regexp.MustCompile(`=\?utf-8\?[qb]\?[^? ]+\?=`) // RFC 2047, 2: 76 for its line
)

// checkLines holds the header to RFC 5322, 2.1.1: no line past 998, and none
// past 78 that has a space to be folded at.
func checkLines(t interface{ Fatal(...any) }, eml string) {
	header, _, _ := strings.Cut(eml, "\r\n\r\n")
	for _, line := range longLine.FindAllString(header+"\r\n", -1) {
		line = strings.TrimSuffix(line, "\r")
		if len(line) > 998 || encodedWord.MatchString(line) || len(line) > 78 && strings.Contains(strings.TrimLeft(line, " \t"), " ") {
			t.Fatal("line of", len(line), "bytes:", line)
		}
	}
	if strings.Contains(strings.ReplaceAll(eml, "\r\n", ""), "\n") || strings.Contains(strings.ReplaceAll(eml, "\r\n", ""), "\r") {
		t.Fatal("a line end that is not CRLF")
	}
}

// anyText draws from everything a hostile or exotic value may hold.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.SampledFrom([]rune("ab  =?_\t\",:;<>@()\\é你\U0001F40E\x1b\x7f\u0085\u2028"))),
		rapid.StringOfN(rapid.SampledFrom([]rune("abc ")), 0, 400, -1),
		rapid.StringOfN(rapid.SampledFrom([]rune("你好 éa")), 0, 400, -1),
		rapid.StringMatching(`=\?utf-8\?[qb]\?[a-z=]{0,9}\?=( =\?utf-8\?q\?x\?=)?`),
		rapid.Map(rapid.IntRange(900, 3000), func(n int) string { return strings.Repeat("x", n) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }),
	)
}

// holdable says whether a value can be in a header field at all.
func holdable(s string) bool {
	return !strings.ContainsAny(s, "\r\n\x00") && strings.ToValidUTF8(s, "") == s
}

func TestAnySubjectIsReadBackExactlyOrRefusedByName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := letter()
		m.Subject = anyText().Draw(t, "subject")
		checkRoundTrip(t, m, "Subject", m.Subject, func(got *mail.Message) (string, error) {
			return new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
		})
	})
}

func TestAnyDisplayNameIsReadBackExactlyOrRefusedByName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := letter()
		name := anyText().Draw(t, "name")
		m.From[0].Name = name
		checkRoundTrip(t, m, "From", name, func(got *mail.Message) (string, error) {
			list, err := got.Header.AddressList("From")
			if err != nil {
				return "", err
			}
			return list[0].Name, nil
		})
	})
}

func TestAnyFileNameIsReadBackExactlyOrRefusedByName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := letter()
		m.Text = ""
		name := anyText().Draw(t, "name")
		m.Attachments = []message.Attachment{{Name: name, Type: "application/x-test", Open: open("x")}}
		checkRoundTrip(t, m, "Attachments[0].Name", name, func(got *mail.Message) (string, error) {
			_, params, err := mime.ParseMediaType(got.Header.Get("Content-Disposition"))
			return params["filename"], err
		})
	})
}

// TestAnyOtherFieldKeepsItsWhiteSpaceAndItsWords: what the composer does not
// know it must not change, since it may be structured.
func TestAnyOtherFieldKeepsItsWhiteSpaceAndItsWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := letter()
		value := rapid.OneOf(
			rapid.StringOf(rapid.SampledFrom([]rune("ab \t,;=?"))),
			rapid.StringOfN(rapid.SampledFrom([]rune("ab \té你")), 0, 300, -1),
		).Draw(t, "value")
		m.Fields = []message.Field{{Name: "X-A", Value: value}, {Name: "X-B", Value: "b"}}
		eml := write(t, m)
		checkLines(t, eml)
		header, _, err := message.ReadHeader(strings.NewReader(eml), message.HeaderLimits{})
		if err != nil {
			t.Fatal(err)
		}
		f, want := header.Get("x-a"), strings.Trim(value, " \t")
		if isASCII(value) && f.Value() != want || f.Text() != want || header.Get("X-B").Value() != "b" {
			t.Fatalf("wrote %q, read %q", want, f)
		}
	})
}

func TestAFieldThatCannotBeFoldedIsRefused(t *testing.T) {
	for field, change := range map[string]func(*message.Message, string){
		"X-A":        func(m *message.Message, s string) { m.Fields = []message.Field{{Name: "X-A", Value: s}} },
		"To":         func(m *message.Message, s string) { m.To = message.AddressList{message.Address{Addr: s + "@b"}} },
		"References": func(m *message.Message, s string) { m.References = []string{s + "@b"} },
	} {
		m := letter()
		change(&m, strings.Repeat("x", 1000))
		var bad *message.FieldError
		if n, err := m.WriteTo(io.Discard); n != 0 || !errors.As(err, &bad) || bad.Field != field {
			t.Error(field, err)
		}
		change(&m, strings.Repeat("x", 990))
		checkLines(t, write(t, m))
	}
}

// TestAnyRecipientsAreReadByTheStandardLibrary prints lists with groups.
func TestAnyRecipientsAreReadByTheStandardLibrary(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) message.Address {
		return message.Address{
			Name: anyText().Filter(holdable).Draw(t, "name"),
			Addr: rapid.SampledFrom([]string{"a@example.org", `"a b,<>"@example.org`, `"\"\\"@example.org`, "a@例子.cn"}).Draw(t, "addr"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		m := letter()
		m.To = message.AddressList{
			addr.Draw(t, "first"),
			message.Group{Name: anyText().Filter(holdable).Draw(t, "group"), Members: rapid.SliceOfN(addr, 1, 9).Draw(t, "members")},
			addr.Draw(t, "last"),
		}
		eml := write(t, m)
		checkLines(t, eml)
		got, err := read(t, eml).Header.AddressList("To")
		if err != nil || len(got) != len(m.To.Addresses()) {
			t.Fatal(err, eml)
		}
		for i, a := range m.To.Addresses() {
			if got[i].Name != a.Name {
				t.Fatalf("wrote %q, read %q: %s", a.Name, got[i].Name, eml)
			}
		}
	})
}

func checkRoundTrip(t *rapid.T, m message.Message, field, want string, value func(*mail.Message) (string, error)) {
	if !holdable(want) {
		_, err := m.WriteTo(io.Discard)
		var bad *message.FieldError
		if !errors.As(err, &bad) || bad.Field != field {
			t.Fatalf("%q: got %v, want an error about %s", want, err, field)
		}
		return
	}
	eml := write(t, m)
	checkLines(t, eml)
	got, err := value(read(t, eml))
	if err != nil {
		t.Fatal(err, eml)
	}
	if got != want {
		t.Fatalf("wrote %q, read %q\n%s", want, got, eml)
	}
}

func TestNoFieldCanBeSplitByItsValue(t *testing.T) {
	for _, evil := range []string{"x\r\nBcc: y@z", "x\nBcc: y@z", "x\rBcc: y@z", "x\x00", "x\r\n\r\nbody", "\r\n"} {
		addr := message.Address{Addr: evil + "@example.org"}
		named := message.Address{Name: evil, Addr: "a@example.org"}
		for field, change := range map[string]func(*message.Message){
			"From":                     func(m *message.Message) { m.From[0] = addr },
			"Sender":                   func(m *message.Message) { m.Sender = named },
			"Reply-To":                 func(m *message.Message) { m.ReplyTo = message.AddressList{addr} },
			"To":                       func(m *message.Message) { m.To = message.AddressList{message.Group{Name: evil}} },
			"Cc":                       func(m *message.Message) { m.Cc = message.AddressList{message.Group{Members: []message.Address{named}}} },
			"Bcc":                      func(m *message.Message) { m.Bcc = message.AddressList{addr} },
			"Subject":                  func(m *message.Message) { m.Subject = evil },
			"Message-ID":               func(m *message.Message) { m.MessageID = evil + "@x" },
			"In-Reply-To":              func(m *message.Message) { m.InReplyTo = []string{"<a@" + evil + ">"} },
			"References":               func(m *message.Message) { m.References = []string{"<a@b>", "<a@[" + evil + "]>"} },
			"X-Other":                  func(m *message.Message) { m.Fields = []message.Field{{Name: "X-Other", Value: evil}} },
			"Attachments[0].Name":      func(m *message.Message) { m.Attachments[0].Name = evil },
			"Attachments[0].Type":      func(m *message.Message) { m.Attachments[0].Type = "text/plain; a=\"" + evil + "\"" },
			"Attachments[0].ContentID": func(m *message.Message) { m.Attachments[0].ContentID = evil + "@x" },
			fmt.Sprintf("%.40q", evil): func(m *message.Message) { m.Fields = []message.Field{{Name: evil, Value: "x"}} },
		} {
			m := letter()
			m.Attachments = []message.Attachment{{Open: open("")}}
			change(&m)
			n, err := m.WriteTo(io.Discard)
			var bad *message.FieldError
			if n != 0 || !errors.As(err, &bad) || bad.Field != field {
				t.Errorf("%q in %s: wrote %d bytes, error %v", evil, field, n, err)
			}
		}
	}
}

func TestBccIsInTheEnvelopeOnly(t *testing.T) {
	m := letter()
	m.To = message.AddressList{message.Group{Name: "G", Members: []message.Address{{Addr: "b@example.org"}, {Addr: "c@bücher.example"}}}}
	m.Cc = message.AddressList{message.Address{Addr: "b@example.org"}}
	m.Bcc = message.AddressList{message.Address{Name: "Hidden", Addr: "unnamed@example.org"}}
	want := []string{"b@example.org", "c@xn--bcher-kva.example", "unnamed@example.org"}
	if diff := cmp.Diff(want, m.Recipients()); diff != "" {
		t.Error(diff)
	}
	if eml := write(t, m); strings.Contains(eml, "Hidden") || strings.Contains(eml, "unnamed@example.org") || strings.Contains(eml, "Bcc") {
		t.Error(eml)
	}
}

func TestWhatTheComposerWritesItselfCannotBeWrittenTwice(t *testing.T) {
	for _, name := range []string{"from", "BCC", "Date", "mime-version", "Content-Type", "Content-Anything", "", "a b", "a:", "é"} {
		m := letter()
		m.Fields = []message.Field{{Name: name, Value: "x"}}
		if n, err := m.WriteTo(io.Discard); err == nil || n != 0 {
			t.Errorf("field %q was accepted", name)
		}
	}
}

func TestAMissingDateAndMessageIDAreMade(t *testing.T) {
	m := letter()
	m.From[0].Addr = "a@bücher.example"
	m.Date = time.Time{}
	first, second := read(t, write(t, m)), read(t, write(t, m))
	date, err := first.Header.Date()
	if err != nil || time.Since(date).Abs() > time.Minute {
		t.Error("date", date, err)
	}
	if _, want := time.Now().Zone(); func() int { _, z := date.Zone(); return z }() != want {
		t.Error("not the local zone:", date)
	}
	id := first.Header.Get("Message-ID")
	if !regexp.MustCompile(`^<[a-z2-7]{26}@xn--bcher-kva\.example>$`).MatchString(id) || id == second.Header.Get("Message-ID") {
		t.Error("message id", id)
	}
}

func TestALocalPartPastASCIINeedsInternationalized(t *testing.T) {
	m := letter()
	m.From[0] = message.Address{Name: "王芳", Addr: "王芳@例子.cn"}
	m.Subject = "你好"
	m.Attachments = []message.Attachment{{Name: "x", ContentID: "i@b", Open: open("")}}
	if _, err := m.WriteTo(io.Discard); err == nil || !strings.Contains(err.Error(), "SMTPUTF8") {
		t.Error("got", err)
	}
	m.Internationalized = true
	eml := write(t, m)
	if !m.NeedsSMTPUTF8() || !strings.Contains(eml, "From: 王芳 <王芳@例子.cn>\r\n") || !strings.Contains(eml, "Subject: 你好\r\n") {
		t.Error(eml)
	}
	m.From[0].Addr = "wangfang@例子.cn"
	eml = write(t, m)
	if m.NeedsSMTPUTF8() || !strings.Contains(eml, "<wangfang@xn--fsqu00a.cn>") || !isASCII(eml) {
		t.Error("a domain alone needs no SMTPUTF8", eml)
	}
	m.Bcc = message.AddressList{message.Address{Addr: "王芳@example.org"}}
	if eml = write(t, m); !m.NeedsSMTPUTF8() || !isASCII(eml) {
		t.Error("the envelope alone needs SMTPUTF8", eml)
	}
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 }

func TestCharsetAndEncodingAreChosenForEachPart(t *testing.T) {
	for _, c := range []struct {
		text, header string
		allow8Bit    bool
	}{
		{"plain\n", "charset=us-ascii 7bit", false},
		{strings.Repeat("x", 998), "charset=us-ascii 7bit", false},
		{strings.Repeat("x", 999), "charset=us-ascii quoted-printable", false},
		{"NUL \x00", "charset=us-ascii quoted-printable", false},
		{"mostly ASCII é\n", "charset=utf-8 quoted-printable", false},
		{"山高月小，水落石出。\n", "charset=utf-8 base64", false},
		{"山高月小，水落石出。\n", "charset=utf-8 8bit", true},
		{strings.Repeat("é", 500), "charset=utf-8 base64", true}, // 1000 bytes in a line
		{"plain\n", "charset=us-ascii 7bit", true},
	} {
		m := letter()
		m.Text, m.HTML, m.Allow8Bit = c.text, "<p>", c.allow8Bit
		got := leaves(t, read(t, write(t, m)))[0]
		_, params, _ := mime.ParseMediaType(got.typ)
		if h := "charset=" + params["charset"] + " " + got.encoding; h != c.header {
			t.Errorf("%.20q: %s, want %s", c.text, h, c.header)
		}
		if want := strings.TrimSuffix(strings.ReplaceAll(c.text, "\n", "\r\n"), "\r\n") + "\r\n"; got.content != want {
			t.Errorf("%.20q came as %.20q", want, got.content)
		}
	}
}

func TestAnyTextAndAttachmentIsReadBackExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := letter()
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab =.-\t\r\né你\x00\x1b"))).Draw(t, "text")
		file := string(rapid.SliceOf(rapid.Byte()).Draw(t, "file"))
		m.Text, m.HTML = text, "<p>"
		m.Attachments = []message.Attachment{{Name: "a.bin", Open: open(file)}, {ContentID: "i@b", Open: open("inline")}}
		parts := leaves(t, read(t, write(t, m)))
		want := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(text)
		if text != "" && !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		if text != "" {
			if parts[0].content != want {
				t.Fatalf("text %q came as %q", want, parts[0].content)
			}
			parts = parts[1:]
		}
		if len(parts) != 3 || parts[1].content != "inline" || parts[2].content != file {
			t.Fatalf("%q", parts)
		}
	})
}

func TestABoundaryIsNeverInTheContent(t *testing.T) {
	compose := func(t *testing.T, text string) (boundary string) {
		cryptotest.SetGlobalRandom(t, 7)
		m := letter()
		m.MessageID = "a@b"
		m.Text, m.HTML = text, "<p>"
		_, params, err := mime.ParseMediaType(read(t, write(t, m)).Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		return params["boundary"]
	}
	var first, second string
	t.Run("foreseen", func(t *testing.T) { first = compose(t, "x") })
	t.Run("used", func(t *testing.T) { second = compose(t, "--"+first+"--") })
	if first == second || first == "" {
		t.Error("the boundary is in the text:", second)
	}
}

func TestAnAttachedMessageIsMadeSevenBit(t *testing.T) {
	m := letter()
	m.Attachments = []message.Attachment{{
		Name: "mail.eml", Type: "message/rfc822",
		Open: open("From: x@y\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nbär\n"),
	}}
	eml := write(t, m)
	if !isASCII(eml) || !strings.Contains(eml, "\r\n\r\nb=C3=A4r\r\n") {
		t.Error(eml)
	}
	checkLines(t, eml)
}

func TestAnAttachmentThatCannotBeReadIsNamed(t *testing.T) {
	broken := errors.New("disk on fire")
	m := letter()
	m.Attachments = []message.Attachment{{Name: "a.bin", Open: func() (io.ReadCloser, error) { return nil, broken }}}
	if _, err := m.WriteTo(io.Discard); !errors.Is(err, broken) || !strings.Contains(err.Error(), "a.bin") {
		t.Error(err)
	}
}

// TestALargeAttachmentNeedsNoMoreMemoryThanASmallOne compares what is
// allocated in all, so that it does not depend on the garbage collector.
func TestALargeAttachmentNeedsNoMoreMemoryThanASmallOne(t *testing.T) {
	allocated := func(size int64) uint64 {
		m := letter()
		m.Attachments = []message.Attachment{{Name: "a.bin", Type: "application/x-test", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(zeros{}, size)), nil
		}}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, err := m.WriteTo(io.Discard)
		runtime.ReadMemStats(&after)
		if err != nil || n < size/3*4 {
			t.Fatal(n, err)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	allocated(1) // what is made only once
	size := int64(1 << 30)
	if raceDetector {
		size = 1 << 26 // it makes every byte slow
	}
	small, large := allocated(1<<10), allocated(size)
	if large > small+256<<10 {
		t.Errorf("%d bytes allocate %d, 1 KiB %d", size, large, small)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func open(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

type leaf struct{ typ, encoding, content string }

// leaves decodes every part that is not a multipart.
func leaves(t interface{ Fatal(...any) }, m *mail.Message) []leaf {
	return leavesOf(t, m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
}

func leavesOf(t interface{ Fatal(...any) }, typ, encoding string, body io.Reader) []leaf {
	kind, params, _ := mime.ParseMediaType(typ)
	if !strings.HasPrefix(kind, "multipart/") {
		content, err := io.ReadAll(decoder(encoding, body))
		if err != nil {
			t.Fatal(err)
		}
		return []leaf{{typ, encoding, string(content)}}
	}
	var all []leaf
	for r := multipart.NewReader(body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, leavesOf(t, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)...)
	}
}

func decoder(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, r)
	}
	return r
}
