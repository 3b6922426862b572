package letter

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/posthouse/posthouse/message"
)

// Field is a header field as people read it.
type Field struct {
	Name string
	// Text is the value on one line: encoded words are decoded (RFC 2047), and other
	// characters than UTF-8 were guessed.
	Text string

	raw string // the value in UTF-8, encoded words as they are
}

// readHeader reads the fields that a part begins with, and returns what follows them.
func (p *Part) readHeader() (fields []Field, body []byte) {
	in := bytes.NewReader(p.raw)
	h := message.NewHeaderReader(in, message.HeaderLimits{Bytes: MaxHeader, Fields: MaxFields})
	for {
		raw, err := h.Next()
		if err == nil {
			fields = append(fields, p.field(raw))
			continue
		}
		var beyond *message.HeaderError
		if errors.As(err, &beyond) {
			p.letter.fault(p.Path, "its header is too long to be read: %s", beyond.Reason)
			return fields, afterHeader(p.raw)
		}
		rest, _ := io.ReadAll(h.Body()) // of memory
		return fields, p.raw[len(p.raw)-len(rest):]
	}
}

// afterHeader is what follows the first empty line.
func afterHeader(text []byte) []byte {
	if i := bytes.Index(text, []byte("\n\r\n")); i >= 0 {
		return text[i+3:]
	}
	if i := bytes.Index(text, []byte("\n\n")); i >= 0 {
		return text[i+2:]
	}
	return nil
}

func (p *Part) field(raw message.RawField) Field {
	name := raw.Name()
	if !utf8.Valid(raw) {
		p.letter.fault(p.Path, "the %s field is not in UTF-8, and its characters were guessed", clip(name, 40))
		raw = append(append([]byte(name), ": "...), guess([]byte(raw.Value()), "")...)
	}
	return Field{Name: name, Text: printable(raw.Text()), raw: raw.Value()}
}

// printable leaves out what is not to be shown: control characters, and those that
// change the direction of what stands around them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029:
			return -1
		}
		return r
	}, s)
}

// mediaType reads a value such as that of Content-Type, with the parameters that make
// sense, their names in lower case (RFC 2045, 5.1; RFC 2231).
func mediaType(value string) (kind string, params map[string]string, fault bool) {
	kind, params, err := mime.ParseMediaType(value)
	if err == nil {
		return kind, params, false
	}
	word, rest, _ := strings.Cut(value, ";")
	kind = strings.ToLower(strings.TrimSpace(word))
	params = map[string]string{}
	for len(params) < 20 && rest != "" {
		var name, text string
		name, text, rest = cutParam(rest)
		if _, twice := params[name]; name != "" && !twice {
			params[name] = text
		}
	}
	return kind, params, true
}

// cutParam reads one parameter, with or without quotes, and returns what follows it.
func cutParam(s string) (name, value, rest string) {
	end := strings.IndexAny(s, "=;")
	if end < 0 {
		return "", "", ""
	}
	if s[end] == ';' {
		return "", "", s[end+1:]
	}
	name = strings.ToLower(strings.TrimSpace(s[:end]))
	s = strings.TrimLeft(s[end+1:], " \t")
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		value, rest, _ = strings.Cut(quoted, `"`)
		_, rest, _ = strings.Cut(rest, ";")
		return name, value, rest
	}
	value, rest, _ = strings.Cut(s, ";")
	return name, strings.TrimSpace(value), rest
}

// extended reads a parameter in pieces or in a charset of its own (RFC 2231), which the
// standard library knows only for UTF-8; "" if there is none. star is its name with a star.
func extended(value, star string) string {
	_, rest, _ := strings.Cut(value, ";")
	var text []byte
	label := ""
	for n := 0; n < 20 && rest != ""; n++ {
		var name, piece string
		name, piece, rest = cutParam(rest)
		if !strings.HasPrefix(name, star) {
			continue
		}
		if label == "" && strings.HasSuffix(name, "*") {
			if parts := strings.SplitN(piece, "'", 3); len(parts) == 3 {
				label, piece = parts[0], parts[2]
			}
		}
		if plain, err := url.PathUnescape(piece); err == nil && strings.HasSuffix(name, "*") {
			piece = plain
		}
		text = append(text, piece...)
	}
	name, _ := decode(text, label)
	return name
}

func parseDate(s string) (time.Time, error) {
	if len(s) > 200 {
		return time.Time{}, errors.New("too long")
	}
	return mail.ParseDate(s)
}

// clip cuts s to so many octets at most, and to whole characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "..."
}
