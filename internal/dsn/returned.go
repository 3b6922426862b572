package dsn

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// The third part of a report: what was sent.

// returned is the third part. The zero value is none.
type returned struct {
	content  mail.Content // whole
	header   string       // or its header alone; lines ended by CRLF
	eightBit bool
	global   bool // it needs SMTPUTF8
}

// maxHeader is how much of a header is returned, in octets.
const maxHeader = 256 << 10

// choose decides how much of the original is returned.
func (r *Report) choose(original mail.Content) (returned, error) {
	if original == nil {
		return returned{}, nil
	}
	if r.wantsWhole(original.Size()) {
		traits, err := inspect(original)
		if err != nil {
			return returned{}, err
		}
		// What no text can hold is not returned, and what has a header in UTF-8
		// only where that is understood.
		fit := !traits.NUL && !traits.BareCR && !traits.BareLF && traits.LongestLine <= 998
		if fit && (r.UTF8 || !traits.UTF8Header) {
			return returned{
				content: original, global: traits.UTF8Header,
				eightBit: traits.Body8Bit || traits.UTF8Header,
			}, nil
		}
	}
	header, err := headerOf(original)
	return returned{header: header}, err
}

// wantsWhole is RFC 3461, 6.2: the whole message for failures only, and only if
// RET does not say otherwise; nor does REQUIRETLS (RFC 8689, 5).
func (r *Report) wantsWhole(size int64) bool {
	largest := r.Largest
	if largest <= 0 {
		largest = defaultLargest
	}
	return r.worst() == mail.ReportFailed && r.Return != smtp.ReturnHeaders && !r.RequireTLS && size <= largest
}

func inspect(c mail.Content) (message.Traits, error) {
	r, err := c.Open()
	if err != nil {
		return message.Traits{}, err
	}
	var i message.Inspector
	_, err = io.Copy(&i, r)
	return i.Traits(), errors.Join(err, r.Close())
}

// headerOf reads a header, or as much of it as is returned.
func headerOf(c mail.Content) (string, error) {
	r, err := c.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := message.NewHeaderReader(r, message.HeaderLimits{Bytes: maxHeader})
	var b strings.Builder
	for {
		field, err := h.Next()
		var tooMuch *message.HeaderError
		switch {
		case err == io.EOF, errors.As(err, &tooMuch):
			return b.String(), nil
		case err != nil:
			return "", err
		}
		appendField(&b, field)
	}
}

// appendField copies a field with its folding; what is neither text nor a line
// end becomes '?'.
func appendField(b *strings.Builder, field message.RawField) {
	for line := range bytes.Lines(field) {
		line = bytes.TrimRight(line, "\r\n")
		for _, c := range line {
			if c < ' ' && c != '\t' || c == 0x7f {
				c = '?'
			}
			b.WriteByte(c)
		}
		b.WriteString("\r\n")
	}
}

// write writes the part. A header that is not plain ASCII in short lines is
// encoded, which RFC 6522, 4 and RFC 6533, 4.4 allow; so whoever gets the report
// needs to understand nothing for it to arrive.
func (t returned) write(p *printer) {
	switch {
	case t.content != nil:
		kind, encoding := "message/rfc822", ""
		if t.global {
			kind = "message/global"
		}
		if t.eightBit {
			encoding = "8bit"
		}
		p.part(kind, "The message", encoding)
		p.copy(t.content)
	case t.header == "":
	case isASCII(t.header) && longestLine(t.header) <= 998:
		p.part("text/rfc822-headers", "Header of the message", "")
		p.w.WriteString(t.header)
	case !isASCII(t.header) && utf8.ValidString(t.header):
		p.part("message/global-headers", "Header of the message", "quoted-printable")
		p.quotable(t.header)
	default:
		p.part("text/rfc822-headers", "Header of the message", "quoted-printable")
		p.quotable(t.header)
	}
}

func (p *printer) copy(c mail.Content) {
	r, err := c.Open()
	if err == nil {
		_, err = io.Copy(p.w, r)
		err = errors.Join(err, r.Close())
	}
	p.err = errors.Join(p.err, err)
}
