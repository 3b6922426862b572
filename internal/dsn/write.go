package dsn

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// ErrNullSender says that a report is addressed to the null path, whom nothing
// is ever sent (RFC 3461, 5.2).
var ErrNullSender = errors.New("dsn: a report to the null sender")

// Needs is what a report asks of the way back, for its own envelope. That has
// the null reverse-path, and no RET; NOTIFY may only be NEVER (RFC 3461, 6.1).
type Needs struct {
	Body smtp.Body // smtp.Body7Bit or smtp.Body8Bit
	UTF8 bool      // SMTPUTF8; only if Report.UTF8
}

// defaultLargest is how large a message is that is returned whole.
const defaultLargest = 1 << 20

// Write writes the report as a message, line ends CRLF. The original is what it
// is about; nil if it is no longer there. It is returned whole if the report
// tells of a failure, RET does not ask for less, and it is neither larger than
// Largest nor of a kind that no text can hold; else its header is returned. It
// is read twice at most, and never held in memory.
//
// Whatever stands in the strings of a report, and in the original's header,
// cannot end a line of the report. Errors are [ErrNullSender], one for a field
// that is needed and missing, and those of w and of the original.
func Write(w io.Writer, r *Report, original mail.Content) (Needs, error) {
	switch {
	case r.To.IsNull():
		return Needs{}, ErrNullSender
	case r.MTA == "" || r.From.IsNull() || len(r.Recipients) == 0:
		return Needs{}, errors.New("dsn: a report needs MTA, From and Recipients")
	}
	m, header, err := r.header()
	if err != nil {
		return Needs{}, err
	}
	returned, err := r.choose(original)
	if err != nil {
		return Needs{}, err
	}
	global := r.global()
	p := &printer{w: bufio.NewWriter(w), boundary: boundary(m.MessageID)}
	p.w.Write(header)
	p.multipart(returned.eightBit || global)
	p.textPart(r.text())
	p.statusPart(r, global)
	returned.write(p)
	p.printf("\r\n--%s--\r\n", p.boundary)
	if err := errors.Join(p.err, p.w.Flush()); err != nil {
		return Needs{}, err
	}
	needs := Needs{Body: smtp.Body7Bit, UTF8: global || m.NeedsSMTPUTF8() || returned.global}
	if returned.eightBit || global {
		needs.Body = smtp.Body8Bit
	}
	return needs, nil
}

// boundary cannot be foreseen by whoever wrote the original, because the msg-id
// of the report cannot be.
func boundary(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "=_" + hex.EncodeToString(sum[:20])
}

// header prints the fields above those of MIME. What the report's own fields do
// not allow there is left out: a report with a worse header is better than none.
func (r *Report) header() (*message.Message, []byte, error) {
	m := &message.Message{
		From:              []message.Address{{Name: "Mail system", Addr: r.From.String()}},
		To:                message.AddressList{message.Address{Addr: r.To.String()}},
		Subject:           r.subject(),
		Date:              r.Date,
		MessageID:         r.ID,
		Internationalized: true,
		Fields:            []message.Field{{Name: "Auto-Submitted", Value: "auto-replied"}}, // RFC 3834, 5
	}
	if m.MessageID == "" {
		m.MessageID = message.NewMessageID(r.MTA)
	}
	if r.MessageID != "" { // RFC 3834, 3.1.5
		m.InReplyTo, m.References = []string{r.MessageID}, []string{r.MessageID}
	}
	for {
		var b bytes.Buffer
		_, err := m.WriteTo(&b)
		if err == nil {
			// The message has no text: it ends with the empty line.
			return m, bytes.TrimSuffix(b.Bytes(), []byte("\r\n")), nil
		}
		if !giveUp(m, err) {
			return nil, nil, err
		}
	}
}

// giveUp takes away the field that an error is about, if the report can do
// without.
func giveUp(m *message.Message, err error) bool {
	var field *message.FieldError
	if !errors.As(err, &field) {
		return false
	}
	_, group := m.To[0].(message.Group)
	switch {
	case (field.Field == "In-Reply-To" || field.Field == "References") && m.InReplyTo != nil:
		m.InReplyTo, m.References = nil, nil
	case field.Field == "To" && !group:
		m.To = message.AddressList{message.Group{Name: "undisclosed-recipients"}}
	default:
		return false
	}
	return true
}

// printer writes parts, until something fails.
type printer struct {
	w        *bufio.Writer
	boundary string
	err      error // of what is read; that of w stays in w
}

func (p *printer) printf(format string, args ...any) { fmt.Fprintf(p.w, format, args...) }

func (p *printer) multipart(eightBit bool) {
	p.printf("MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"%s\"\r\n", p.boundary)
	if eightBit {
		p.printf("Content-Transfer-Encoding: 8bit\r\n")
	}
	p.printf("\r\nThis is a delivery report in the format of MIME.\r\n")
}

// part begins a part. An encoding of "" is 7bit.
func (p *printer) part(contentType, description, encoding string) {
	p.printf("\r\n--%s\r\nContent-Type: %s\r\nContent-Description: %s\r\n", p.boundary, contentType, description)
	if encoding != "" {
		p.printf("Content-Transfer-Encoding: %s\r\n", encoding)
	}
	p.printf("\r\n")
}

// quotable writes text with line ends "\n" or CRLF in quoted-printable. CRLF is
// then in the text as it is.
func (p *printer) quotable(text string) {
	q := quotedprintable.NewWriter(p.w)
	_, err := io.WriteString(q, text)
	p.err = errors.Join(p.err, err, q.Close())
}

func (p *printer) textPart(text string) {
	text = strings.ReplaceAll(text, "\n", "\r\n")
	if isASCII(text) && longestLine(text) <= 998 {
		p.part("text/plain; charset=us-ascii", "Notification", "")
		p.w.WriteString(text)
		return
	}
	p.part("text/plain; charset=utf-8", "Notification", "quoted-printable")
	p.quotable(text)
}

func longestLine(text string) (n int) {
	for line := range strings.SplitSeq(text, "\r\n") {
		n = max(n, len(line))
	}
	return n
}
