package letter

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/posthouse/posthouse/message"
)

// Part is one part of a message, or the whole of it.
type Part struct {
	Path        string // "" for the message itself, then "1", "2.1" ...
	Header      []Field
	Type        string // media type in lower case, without parameters
	Charset     string // as the part says, "" if it does not
	Encoding    string // Content-Transfer-Encoding in lower case; "" is 7bit
	Disposition string // "inline", "attachment", or ""
	Name        string // of the file; its last element, "" if there is none
	ContentID   string // without angle brackets
	Parts       []*Part

	letter *Letter
	parent *Part
	params map[string]string
	raw    []byte    // header and body
	body   []byte    // as it came
	size   int64     // of the content; -1 until it was counted
	text   *textRead // nil until it was read
}

// head reads the header.
func (p *Part) head() {
	p.Header, p.body = p.readHeader()
	p.size = -1
	var broken bool
	p.Type, p.params, broken = mediaType(p.value("Content-Type", p.usual()))
	if broken {
		p.letter.fault(p.Path, "its Content-Type does not follow the rules: %q", clip(get(p.Header, "Content-Type"), 80))
	}
	if !strings.Contains(p.Type, "/") {
		p.Type = "text/plain" // RFC 2045, 5.2
	}
	p.Charset = printable(clip(p.params["charset"], 40))
	p.Encoding = strings.ToLower(strings.TrimSpace(firstWord(get(p.Header, "Content-Transfer-Encoding"))))
	kind, disposition, _ := mediaType(get(p.Header, "Content-Disposition"))
	p.Disposition = printable(clip(kind, 40))
	p.Name = fileName(extended(p.value("Content-Disposition", ""), "filename*"), disposition["filename"], p.params["name"])
	p.ContentID = strings.Trim(get(p.Header, "Content-ID"), "<> \t")
}

// usual is the type of a part that says none (RFC 2046, 5.1.5).
func (p *Part) usual() string {
	if p.parent != nil && p.parent.Type == "multipart/digest" {
		return "message/rfc822"
	}
	return "text/plain"
}

// value is the value of a field with its encoded words, or another one if it is
// missing.
func (p *Part) value(name, missing string) string {
	for _, f := range p.Header {
		if strings.EqualFold(f.Name, name) {
			return f.raw
		}
	}
	return missing
}

func firstWord(s string) string {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t(;"); i >= 0 {
		s = s[:i]
	}
	return s
}

// fileName is the first name that there is, decoded, without the folders before it:
// what is saved under it stays where it is put.
func fileName(names ...string) string {
	for _, name := range names {
		name = message.RawField("Name: " + strings.ToValidUTF8(name, "\uFFFD")).Text()
		name = name[strings.LastIndexAny(name, `/\`)+1:]
		if name = strings.Trim(printable(name), " ."); name != "" {
			return clip(name, 200)
		}
	}
	return ""
}

func (p *Part) multipart() bool { return strings.HasPrefix(p.Type, "multipart/") }

// identity reports whether the body is the content (RFC 2045, 6.2).
func (p *Part) identity() bool {
	switch p.Encoding {
	case "", "7bit", "8bit", "binary":
		return true
	}
	return false
}

// Source is the part with its header, as it came.
func (p *Part) Source() []byte { return p.raw }

// Open returns the content, decoded (RFC 2045, 6); text is in its own charset. What
// cannot be decoded is left out, or given as it came. It does not fail.
func (p *Part) Open() io.Reader {
	switch p.Encoding {
	case "base64":
		return tolerant{base64.NewDecoder(base64.RawStdEncoding, &base64Text{text: p.body})}
	case "quoted-printable":
		return tolerant{quotedprintable.NewReader(bytes.NewReader(p.body))}
	}
	return bytes.NewReader(p.body)
}

// Size is the number of octets of the content.
func (p *Part) Size() int64 {
	if p.size < 0 {
		p.size, _ = io.Copy(io.Discard, p.Open())
	}
	return p.size
}

// tolerant ends where its reader fails.
type tolerant struct{ r io.Reader }

func (t tolerant) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// base64Text gives the letters of a text that mean something in base64, up to the
// padding.
type base64Text struct {
	text []byte
	end  bool
}

func (t *base64Text) Read(b []byte) (n int, err error) {
	for n < len(b) && len(t.text) > 0 && !t.end {
		c := t.text[0]
		t.text = t.text[1:]
		switch {
		case c == '=':
			t.end = true
		case isBase64(c):
			b[n] = c
			n++
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}
