package message

import (
	"encoding/base64"
	"io"
	"mime/quotedprintable"
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

// isBare says whether the message is only a text.
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
	in := make([]byte, 128*base64In)
	out := make([]byte, 0, 128*(base64Line+2))
	for {
		n, err := io.ReadFull(r, in)
		out = appendBase64Lines(out[:0], in[:n])
		if _, err := w.Write(out); err != nil {
			return err
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return nil
		default:
			return err
		}
	}
}

func appendBase64Lines(out, in []byte) []byte {
	for len(in) > 0 {
		n := min(base64In, len(in))
		out = base64.StdEncoding.AppendEncode(out, in[:n])
		out = append(out, '\r', '\n')
		in = in[n:]
	}
	return out
}
