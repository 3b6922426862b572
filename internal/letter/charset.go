package letter

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gogs/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// guessed is how many octets of a text are looked at to guess its charset.
const guessed = 8 << 10

// readText reads a text to UTF-8, MaxText octets at most; read is the charset that it
// turned out to be in, and cut that there is more.
func (p *Part) readText() (text, read string, cut bool) {
	if p.text == nil {
		text, read, cut = p.readAnew()
		p.text = &textRead{text, read, cut}
	}
	return p.text.text, p.text.charset, p.text.cut
}

// textRead is a text that was read.
type textRead struct {
	text, charset string
	cut           bool
}

func (p *Part) readAnew() (text, read string, cut bool) {
	raw, _ := io.ReadAll(io.LimitReader(p.Open(), MaxText+1)) // does not fail
	label := p.Charset
	if label == "" && p.Type == "text/html" {
		label = metaCharset(raw)
	}
	text, read = decode(raw, label)
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if len(text) > MaxText || len(raw) > MaxText {
		return strings.TrimSuffix(clip(text, MaxText), "..."), read, true
	}
	return text, read, false
}

// decode reads octets as the label says, unless they cannot be that: then as what they
// seem to be.
func decode(raw []byte, label string) (text, read string) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	label = strings.ToLower(strings.Trim(label, ` "'`))
	if claimed, name := byLabel(label); claimed != nil && name != "utf-8" {
		text, err := claimed.NewDecoder().Bytes(raw)
		if err == nil && few(text, len(raw)) && !(name == "windows-1252" && utf8.Valid(raw) && !ascii(raw)) {
			return string(text), name
		}
	}
	return string(guess(raw, label)), guessName(raw)
}

// few reports whether no more of a text than a hundredth makes no sense.
func few(text []byte, of int) bool {
	return bytes.Count(text, []byte("\uFFFD")) <= of/100
}

func ascii(text []byte) bool {
	return bytes.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// byLabel is the encoding of a label. Those of the old Chinese labels are read as their
// superset, which is what programs write under them.
func byLabel(label string) (encoding.Encoding, string) {
	switch label {
	case "", "us-ascii", "ascii", "unknown-8bit", "default":
		return nil, ""
	case "gb2312", "gbk", "gb18030", "gb_2312-80", "cp936", "ms936", "x-gbk", "euc-cn", "x-euc-cn", "windows-936":
		return simplifiedchinese.GB18030, "gb18030"
	case "hz-gb-2312", "hz":
		return simplifiedchinese.HZGB2312, "hz-gb-2312"
	case "iso-2022-jp", "iso-2022-jp-1", "iso-2022-jp-2", "iso-2022-jp-ms", "cp50220", "cp50221":
		return japanese.ISO2022JP, "iso-2022-jp"
	case "cp932", "ms932", "windows-932":
		return japanese.ShiftJIS, "shift_jis"
	case "cp950", "big5-hkscs", "x-big5":
		label = "big5"
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil, ""
	}
	name, err := htmlindex.Name(e)
	if err != nil || name == "replacement" || name == "x-user-defined" {
		return nil, ""
	}
	return e, name
}

// guess reads octets whose charset is not known, or was told wrongly, to valid UTF-8.
func guess(raw []byte, label string) []byte {
	if utf8.Valid(raw) && !escapes(raw) {
		return raw
	}
	for _, name := range []string{guessName(raw), label} {
		e, as := byLabel(name)
		if e == nil || as == "utf-8" {
			continue
		}
		if text, err := e.NewDecoder().Bytes(raw); err == nil && few(text, len(raw)) {
			return text
		}
	}
	return bytes.ToValidUTF8(raw, []byte("\uFFFD"))
}

// guessName is what octets seem to be in.
func guessName(raw []byte) string {
	switch {
	case escapes(raw):
		return "iso-2022-jp"
	case utf8.Valid(raw):
		return "utf-8"
	}
	sample := raw[:min(len(raw), guessed)]
	if mostlyUTF8(sample) {
		return "utf-8"
	}
	best, err := chardet.NewTextDetector().DetectBest(sample)
	if err != nil || best == nil {
		return "windows-1252"
	}
	if _, name := byLabel(strings.ToLower(best.Charset)); name != "" && plausible(name, sample) {
		return name
	}
	return "gb18030"
}

// plausible: short Chinese texts look like anything to statistics. Where every octet past
// ASCII stands in a pair of GB2312, that is what it is.
func plausible(name string, sample []byte) bool {
	switch name {
	case "big5", "euc-jp", "euc-kr", "shift_jis", "gb18030":
		return true
	}
	return !pairs(sample)
}

// pairs reports whether all octets past ASCII come in pairs of the rows 16 to 87 of
// GB2312, which has its characters there, or its punctuation.
func pairs(sample []byte) bool {
	n := 0
	for i := 0; i < len(sample); i++ {
		if sample[i] < 0x80 {
			continue
		}
		if i+1 == len(sample) {
			break // cut
		}
		a, b := sample[i], sample[i+1]
		if b < 0xa1 || !(a >= 0xb0 && a <= 0xf7 || a == 0xa1 || a == 0xa3) {
			return false
		}
		n++
		i++
	}
	return n > 0
}

// mostlyUTF8 reports whether a text is UTF-8 but for a little damage.
func mostlyUTF8(sample []byte) bool {
	good, bad := 0, 0
	for len(sample) > 0 {
		r, size := utf8.DecodeRune(sample)
		switch {
		case r == utf8.RuneError && size == 1 && len(sample) < utf8.UTFMax && !utf8.FullRune(sample):
			return good > 9*bad // cut
		case r == utf8.RuneError && size == 1:
			bad++
		case size > 1:
			good++
		}
		sample = sample[size:]
	}
	return good > 9*bad
}

// escapes reports whether a text switches to Japanese (RFC 1468).
func escapes(raw []byte) bool {
	return bytes.Contains(raw, []byte("\x1b$B")) || bytes.Contains(raw, []byte("\x1b$@"))
}

// metaCharset is what HTML says itself, near its beginning.
func metaCharset(raw []byte) string {
	head := bytes.ToLower(raw[:min(len(raw), 1024)])
	_, rest, ok := bytes.Cut(head, []byte("charset="))
	if !ok {
		return ""
	}
	rest = bytes.TrimLeft(rest, `"' `)
	if end := bytes.IndexAny(rest, "\"'; />\r\n"); end >= 0 {
		rest = rest[:end]
	}
	return string(rest[:min(len(rest), 40)])
}
