package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// mender takes in the text of a message that was submitted (RFC 6409, 8): fields that
// are missing are put at the end of the header, Bcc is left out, and whoever is named
// as the sender must be the one who has logged in. What the message needs of those
// who carry it is found out by looking at it, whatever the client has said.
type mender struct {
	*transaction
	out    io.Writer
	traits message.Inspector
	seen   map[string]int
	open   bool // the last line has no end
}

// Names of fields, in lower case.
const (
	fieldFrom      = "from"
	fieldSender    = "sender"
	fieldDate      = "date"
	fieldMessageID = "message-id"
	fieldBcc       = "bcc"
	fieldResentBcc = "resent-bcc"
)

// maxHeader bounds the header of what is submitted. The larger part of real ones is a
// hundredth of it.
const maxHeader = 1 << 20

// mend reads a text and writes it as it is to be kept. An error that is a [*smtp.Reply]
// refuses it; others are those of the reader and of to.
func (t *transaction) mend(ctx context.Context, to io.Writer, body io.Reader, now time.Time) error {
	m := &mender{transaction: t, seen: map[string]int{}}
	m.out = io.MultiWriter(to, &m.traits)
	h := message.NewHeaderReader(body, message.HeaderLimits{Bytes: maxHeader})
	err := m.header(ctx, h)
	if err == nil {
		err = m.complete(now)
	}
	if err == nil {
		err = m.separate(h.End())
	}
	if err == nil {
		_, err = io.Copy(m.out, h.Body())
	}
	m.needs()
	return err
}

// header takes over the fields.
func (m *mender) header(ctx context.Context, h *message.HeaderReader) error {
	for {
		f, err := h.Next()
		var bad *message.HeaderError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, "The header is too long: %s", bad.Reason)
		case err != nil:
			return err
		}
		if err := m.field(ctx, f); err != nil {
			return err
		}
	}
}

func (m *mender) field(ctx context.Context, f message.RawField) error {
	if !isText(f) {
		return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, "A line of the header has a CR, LF or NUL inside")
	}
	name := strings.ToLower(f.Name())
	m.seen[name]++
	switch name {
	case "": // the "From " line of a mailbox file
		m.mended("mailbox line")
		return nil
	case fieldBcc, fieldResentBcc:
		m.mended(name)
		return nil
	case fieldFrom, fieldSender:
		if err := m.sender(ctx, f); err != nil {
			return err
		}
	}
	m.open = !bytes.HasSuffix(f, []byte("\n"))
	_, err := m.out.Write(f)
	return err
}

// isText reports whether the lines of a field end with CRLF and have no part of it inside,
// which binary text may: some readers would see a field there that others do not.
func isText(f message.RawField) bool {
	ends := bytes.Count(f, []byte("\r\n"))
	return bytes.Count(f, []byte("\r")) == ends && bytes.Count(f, []byte("\n")) == ends && bytes.IndexByte(f, 0) < 0
}

// mended notes what was done.
func (m *mender) mended(what string) {
	if !slices.Contains(m.submitted.mended, what) {
		m.submitted.mended = append(m.submitted.mended, what)
	}
}

// sender holds From and Sender against who has logged in. There is one of each: of
// two, every reader shows another.
func (m *mender) sender(ctx context.Context, f message.RawField) error {
	name := strings.TrimSpace(f.Name())
	if m.submitted.account == nil {
		return nil
	}
	if m.seen[strings.ToLower(name)] > 1 {
		return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, "The message has more than one %s field", name)
	}
	list, err := message.ParseAddressList(f.Value())
	addresses := list.Addresses()
	if err != nil || len(addresses) == 0 {
		return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, "The %s field names nobody, or cannot be read", name)
	}
	for _, a := range addresses {
		as, err := smtp.ParseMailbox(a.Addr)
		if err != nil {
			return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, "The %s field names somebody to whom no mail can be sent", name)
		}
		if err := m.maySend(ctx, as, smtp.CodeMailboxUnavailable); err != nil {
			return err
		}
	}
	return nil
}

// complete writes the fields that are missing.
func (m *mender) complete(now time.Time) error {
	add := func(name, field string) error {
		if m.seen[name] > 0 {
			return nil
		}
		m.mended(name)
		return m.line(field)
	}
	err := add(fieldDate, "Date: "+message.FormatDate(now))
	if err == nil {
		err = add(fieldMessageID, "Message-ID: "+message.NewMessageID(m.o.Hostname))
	}
	from := m.visit.From
	if err != nil || from.IsNull() && m.seen[fieldFrom] > 0 {
		return err
	}
	if from.IsNull() {
		return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, "The message has no From field")
	}
	return add(fieldFrom, "From: <"+from.String()+">")
}

// line writes a line of ours, on one of its own.
func (m *mender) line(text string) error {
	if m.open {
		text = "\r\n" + text
	}
	m.open = false
	_, err := io.WriteString(m.out, text+"\r\n")
	return err
}

// separate writes what stands between header and body. A header that something else
// has ended gets an empty line: else one reader would take for a field what another
// takes for the body.
func (m *mender) separate(end []byte) error {
	if len(end) == 0 {
		return m.line("")
	}
	_, err := m.out.Write(end)
	return err
}

// needs says what the message needs of those who carry it (RFC 6152, RFC 6531), once
// its text and recipients are known.
func (m *mender) needs() {
	traits := m.traits.Traits()
	p := &m.params
	p.UTF8 = traits.UTF8Header || !m.visit.From.IsASCII()
	for i := range m.to {
		p.UTF8 = p.UTF8 || !m.to[i].To.IsASCII()
	}
	switch {
	case p.Body == smtp.BodyBinary && (traits.NUL || traits.BareCR || traits.BareLF):
	case traits.Body8Bit || traits.UTF8Header:
		p.Body = smtp.Body8Bit
	default:
		p.Body = ""
	}
}
