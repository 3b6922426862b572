package message

import (
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"slices"
	"strings"
	"unicode/utf8"
)

// textPart makes a leaf of text, in the plainest charset and encoding that
// holds it.
func (m *Message) textPart(field, typ, text string) (*part, error) {
	if !utf8.ValidString(text) {
		return nil, &FieldError{field, errNotUTF8}
	}
	text = canonicalText(text)
	p := &part{encoding: encodingFor(text, m.Allow8Bit)}
	p.body = func(w io.Writer) error { return encodeText(w, p.encoding, text) }
	charset := "utf-8"
	if isASCII(text) {
		charset = "us-ascii"
	}
	if charset == "us-ascii" && p.encoding == "7bit" && typ == "text/plain" && m.isBare() {
		return p, nil // what a message without MIME fields is taken for anyway
	}
	p.contentType(typ, map[string]string{"charset": charset})
	return p, p.err
}

// isBare reports whether the message is only a text.
func (m *Message) isBare() bool { return m.HTML == "" && len(m.Attachments) == 0 }

// canonicalText gives every line of text its CRLF (RFC 2046, 4.1.1).
func canonicalText(s string) string {
	if s == "" {
		return ""
	}
	if strings.Count(s, "\r\n") < max(strings.Count(s, "\n"), strings.Count(s, "\r")) {
		s = strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(s)
	}
	if !strings.HasSuffix(s, "\r\n") {
		s += "\r\n"
	}
	return s
}

// encodingFor chooses how text travels: as it is if it is 7bit (or 8bit, where
// that is allowed) in the sense of RFC 2045, 2.7 and 2.8, else in the encoding
// that makes it shorter.
func encodingFor(text string, allow8Bit bool) string {
	if isShortLined(text) && strings.IndexByte(text, 0) < 0 {
		if isASCII(text) {
			return "7bit"
		}
		if allow8Bit {
			return "8bit"
		}
	}
	c := &countingWriter{w: io.Discard}
	_ = encodeText(c, "quoted-printable", text) // io.Discard does not fail
	if c.n <= base64Len(int64(len(text))) {
		return "quoted-printable"
	}
	return "base64"
}

func isShortLined(text string) bool {
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > hardLine {
			return false
		}
	}
	return true
}

func encodeText(w io.Writer, encoding, text string) error {
	switch encoding {
	case "quoted-printable":
		q := quotedprintable.NewWriter(w)
		if _, err := io.WriteString(q, text); err != nil {
			return err
		}
		return q.Close()
	case "base64":
		return encodeBase64(w, strings.NewReader(text))
	}
	_, err := io.WriteString(w, text)
	return err
}

const (
	base64Line = 76 // RFC 2045, 6.8
	base64In   = base64Line / 4 * 3
)

// base64Len is how many bytes encodeBase64 makes of n.
func base64Len(n int64) int64 {
	lines := (n + base64In - 1) / base64In
	return (n+2)/3*4 + 2*lines
}

// encodeBase64 copies r to w in base64, every line with its CRLF.
func encodeBase64(w io.Writer, r io.Reader) error {
	b := base64Writer{w: w}
	if _, err := io.Copy(&b, r); err != nil {
		return err
	}
	return b.Close()
}

// base64Writer writes in base64, in lines that each have a CRLF. It must be
// closed.
type base64Writer struct {
	w   io.Writer
	in  []byte // less than a line
	out []byte
}

func (b *base64Writer) Write(p []byte) (int, error) {
	n := len(p)
	b.out = slices.Grow(b.out[:0], int(base64Len(int64(n+base64In))))
	if len(b.in) > 0 {
		fill := min(base64In-len(b.in), len(p))
		b.in = append(b.in, p[:fill]...)
		p = p[fill:]
		if len(b.in) < base64In {
			return n, nil
		}
		b.line(b.in)
		b.in = b.in[:0]
	}
	for len(p) >= base64In {
		b.line(p[:base64In])
		p = p[base64In:]
	}
	b.in = append(b.in, p...)
	_, err := b.w.Write(b.out)
	return n, err
}

func (b *base64Writer) line(p []byte) {
	b.out = base64.StdEncoding.AppendEncode(b.out, p)
	b.out = append(b.out, '\r', '\n')
}

func (b *base64Writer) Close() error {
	if len(b.in) == 0 {
		return nil
	}
	b.out = b.out[:0]
	b.line(b.in)
	_, err := b.w.Write(b.out)
	return err
}
