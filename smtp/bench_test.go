package smtp

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// benchTexts are messages as they are on the wire, without the final dot.
func benchTexts(b *testing.B, run func(b *testing.B, text []byte)) {
	column72 := strings.Repeat("x", 72) + "\r\n"
	for _, c := range []struct {
		name, line string
		size       int
	}{
		{"4KB", column72, 4 << 10},
		{"40KB", column72, 40 << 10},
		{"10MB", column72, 10 << 20},
		{"10MB of short lines", "ab\r\n", 10 << 20},
		{"10MB of dots", "..\r\n", 10 << 20},
	} {
		b.Run(c.name, func(b *testing.B) {
			text := bytes.Repeat([]byte(c.line), c.size/len(c.line))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			run(b, text)
		})
	}
}

func BenchmarkDotReader(b *testing.B) {
	benchTexts(b, func(b *testing.B, text []byte) {
		var src bytes.Reader
		r := NewReader(&src, nil)
		p := make([]byte, bufferSize)
		text = append(text, ".\r\n"...)
		for _, how := range []struct {
			name string
			copy func(d *DotReader) error
		}{
			{"WriteTo", func(d *DotReader) error { _, err := d.WriteTo(io.Discard); return err }},
			{"Read", func(d *DotReader) error {
				_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, onlyReader{d}, p)
				return err
			}},
		} {
			b.Run(how.name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					src.Reset(text)
					r.Reset(&src)
					if err := how.copy(r.Dot(TextLimits{})); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

func BenchmarkDotWriter(b *testing.B) {
	benchTexts(b, func(b *testing.B, text []byte) {
		text = bytes.ReplaceAll(text, []byte(".."), []byte("."))
		var out discard
		for b.Loop() {
			d := NewDotWriter(&out)
			for rest := text; len(rest) > 0; {
				n := min(len(rest), bufferSize)
				if _, err := d.Write(rest[:n]); err != nil {
					b.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// discard takes strings as well, as bufio.Writer does.
type discard struct{ n int64 }

func (d *discard) Write(p []byte) (int, error)       { d.n += int64(len(p)); return len(p), nil }
func (d *discard) WriteString(s string) (int, error) { d.n += int64(len(s)); return len(s), nil }

func BenchmarkNewLines(b *testing.B) {
	text := bytes.Repeat([]byte(strings.Repeat("x", 72)+"\n"), 10<<20/73)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.Copy(io.Discard, NewLines(bytes.NewReader(text))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLineCheck(b *testing.B) {
	text := bytes.Repeat([]byte(strings.Repeat("x", 72)+"\r\n"), bufferSize/74)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var c LineCheck
		if err := c.Check(text); err != nil {
			b.Fatal(err)
		}
	}
}

// benchCommands are a transaction as it is said.
var benchCommands = []string{
	"MAIL FROM:<anna@sohu.com>",
	"MAIL FROM:<anna@sohu.com> SIZE=4096 BODY=8BITMIME",
	"RCPT TO:<bob@sina.com>",
	"RCPT TO:<bob@sina.com> NOTIFY=FAILURE ORCPT=rfc822;bob@sina.com",
	"DATA",
	"BDAT 4096 LAST",
}

func BenchmarkParse(b *testing.B) {
	g := Grammar{Offers: everyExtension}
	for _, line := range benchCommands {
		b.Run(line, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Parse([]byte(line)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendCommand(b *testing.B) {
	g := Grammar{Offers: everyExtension}
	buf := make([]byte, 0, 4096)
	for _, line := range benchCommands {
		c, err := g.Parse([]byte(line))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(line, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := AppendCommand(buf, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReplyAppend(b *testing.B) {
	r := Replyf(CodeOK, EnhancedCode{2, 1, 5}, "Recipient <bob@sina.com> ok")
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		r.Append(buf, false)
	}
}

func BenchmarkReaderReply(b *testing.B) {
	for lines := range 3 {
		wire := strings.Repeat("250-2.1.5 Recipient ok\r\n", lines) + "250 2.1.5 Recipient ok\r\n"
		b.Run(fmt.Sprintf("%d lines", lines+1), func(b *testing.B) {
			var src strings.Reader
			r := NewReader(&src, nil)
			b.ReportAllocs()
			for b.Loop() {
				src.Reset(wire)
				if _, err := r.Reply(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReaderLine(b *testing.B) {
	burst := []byte(strings.Repeat("RCPT TO:<bob@sina.com>\r\n", 100))
	var src bytes.Reader
	r := NewReader(&src, nil)
	b.SetBytes(int64(len(burst)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(burst)
		for range 100 {
			if _, err := r.Line(512); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestAllocations holds the hot words to what they may cost.
func TestAllocations(t *testing.T) {
	g := Grammar{Offers: everyExtension}
	for line, most := range map[string]float64{
		"MAIL FROM:<anna@sohu.com>": 2,
		"RCPT TO:<bob@sina.com>":    2,
		"DATA":                      1,
		"BDAT 4096 LAST":            2,
	} {
		in := []byte(line)
		if n := testing.AllocsPerRun(100, func() { _, _ = g.Parse(in) }); n > most {
			t.Errorf("%s is parsed with %v allocations, %v are allowed", line, n, most)
		}
		c, _ := g.Parse(in)
		buf := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(100, func() { _, _ = AppendCommand(buf, c) }); n > 0 {
			t.Errorf("%s is printed with %v allocations", line, n)
		}
	}
	r := Replyf(CodeOK, EnhancedCode{2, 1, 5}, "Ok\nand more")
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { r.Append(buf, true) }); n > 0 {
		t.Errorf("a reply is printed with %v allocations", n)
	}
	var src strings.Reader
	in := NewReader(&src, nil)
	if n := testing.AllocsPerRun(100, func() { src.Reset("250 2.1.5 Ok\r\n"); _, _ = in.Reply() }); n > 2 {
		t.Errorf("a reply is read with %v allocations, 2 are allowed", n)
	}
}
