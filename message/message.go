package message

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Message is a message to be written. Its zero value is an empty one, which
// lacks only From. A Message is not changed by its methods, so that it may be
// written more than once, by several goroutines at once.
type Message struct {
	// From is who wrote it (RFC 5322, 3.6.2). There must be one at least.
	From []Address
	// Sender is who sent it, if that is somebody else. With more than one
	// author it must be given.
	Sender  Address
	ReplyTo AddressList

	// To, Cc and Bcc are whom it is for (RFC 5322, 3.6.3). Bcc is not written
	// into the message: it only adds to [Message.Recipients].
	To, Cc, Bcc AddressList

	Subject string
	// Date is printed in its own zone; zero means now, in the local one.
	Date time.Time
	// MessageID, InReplyTo and References are msg-ids (RFC 5322, 3.6.4), with
	// or without their angle brackets. Without a MessageID each writing makes
	// a new one in the domain of the first author; [NewMessageID] is for those
	// who must know it beforehand.
	MessageID  string
	InReplyTo  []string
	References []string
	// Fields are written after those above, in order.
	Fields []Field

	// Text and HTML are the same letter in two forms, of which a mail program
	// shows the better one that it can (multipart/alternative, RFC 2046, 5.1.4).
	// Either or both may be empty. They are in UTF-8. Line ends may be of any
	// sort and are written as CRLF; a last line without one gets one.
	Text, HTML string
	// Attachments with a ContentID are put beside the HTML that shows them
	// (multipart/related, RFC 2387), the others after the letter
	// (multipart/mixed).
	Attachments []Attachment

	// Internationalized allows addresses whose local parts are not ASCII. A
	// message that has one gets a header in UTF-8 (RFC 6532), and the server that
	// it is sent to must offer SMTPUTF8. Other messages are written as usual.
	Internationalized bool
	// Allow8Bit writes text as UTF-8 instead of encoding it. The server that the
	// message is sent to must offer 8BITMIME (RFC 6152) then.
	Allow8Bit bool
}

// Field is one header field to be written.
type Field struct {
	Name string
	// Value is written with its white space as it is, at which long lines are
	// folded. Words that are not ASCII are encoded (RFC 2047, 5, rule 1); words
	// that are encoded already stay as they are.
	Value string
}

// FieldError says which part of a message cannot be written, and why.
type FieldError struct {
	Field string // as in the header, or the name of the Message's field
	Err   error
}

func (e *FieldError) Error() string { return "message: " + e.Field + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() error { return e.Err }

func fieldError(field string, err error) error {
	if err == nil {
		return nil
	}
	return &FieldError{field, err}
}

// Recipients returns the addr-specs of To, Cc and Bcc, each once, in order:
// the envelope. Domains are in A-labels wherever the local part is ASCII.
func (m *Message) Recipients() []string {
	var all []string
	seen := map[string]bool{}
	for _, a := range m.recipients() {
		spec, err := a.spec(false)
		if err != nil {
			spec = a.Addr // malformed, which writing will report, or UTF-8
		}
		if !seen[spec] {
			seen[spec] = true
			all = append(all, spec)
		}
	}
	return all
}

func (m *Message) recipients() []Address {
	return append(m.To.Addresses(), append(m.Cc.Addresses(), m.Bcc.Addresses()...)...)
}

// NeedsSMTPUTF8 reports whether only SMTPUTF8 (RFC 6531) can carry the message: an
// address in its header or envelope has a local part that is not ASCII.
func (m *Message) NeedsSMTPUTF8() bool {
	return m.rawHeader() || m.Internationalized && anyNeedsUTF8(m.Bcc.Addresses())
}

// rawHeader reports whether the header has to be in UTF-8.
func (m *Message) rawHeader() bool {
	if !m.Internationalized {
		return false
	}
	return anyNeedsUTF8(m.From) || m.Sender.needsUTF8() || anyNeedsUTF8(m.ReplyTo.Addresses()) ||
		anyNeedsUTF8(m.To.Addresses()) || anyNeedsUTF8(m.Cc.Addresses())
}

// header prints everything above the MIME fields.
func (m *Message) header() ([]byte, error) {
	p := headerPrinter{folder: folder{raw: m.rawHeader()}}
	if len(m.From) == 0 {
		return nil, &FieldError{"From", errors.New("is missing")}
	}
	if len(m.From) > 1 && m.Sender == (Address{}) {
		return nil, &FieldError{"Sender", errors.New("is missing, and there is more than one author (RFC 5322, 3.6.2)")}
	}
	p.addresses("From", entries(m.From))
	if m.Sender != (Address{}) {
		p.addresses("Sender", AddressList{m.Sender})
	}
	p.addresses("Reply-To", m.ReplyTo)
	p.addresses("To", m.To)
	p.addresses("Cc", m.Cc)
	m.checkBcc(&p)
	p.date(m.Date)
	p.subject(m.Subject)
	if p.err == nil {
		p.ids("Message-ID", m.messageID())
	}
	p.ids("In-Reply-To", m.InReplyTo)
	p.ids("References", m.References)
	for _, f := range m.Fields {
		p.other(f)
	}
	return p.buf, p.err
}

// checkBcc checks the hidden recipients like the printed ones.
func (m *Message) checkBcc(p *headerPrinter) {
	for _, a := range m.Bcc.Addresses() {
		if _, err := a.spec(m.Internationalized); err != nil && p.err == nil {
			p.err = &FieldError{"Bcc", fmt.Errorf("%q: %w", a.Addr, err)}
		}
	}
}

func (m *Message) messageID() []string {
	if m.MessageID != "" {
		return []string{m.MessageID}
	}
	_, domain, _ := splitAddr(m.From[0].Addr) // From was printed: it is well-formed
	if a, err := asciiDomain(domain); err == nil {
		domain = a
	}
	return []string{NewMessageID(domain)}
}

func entries(list []Address) AddressList {
	l := make(AddressList, len(list))
	for i, a := range list {
		l[i] = a
	}
	return l
}

// headerPrinter prints fields until one of them fails.
type headerPrinter struct {
	folder
	err error
}

// field prints one field by a function that prints its value.
func (p *headerPrinter) field(name string, value func() error) {
	if p.err != nil {
		return
	}
	p.begin(name)
	err := value()
	if err == nil {
		err = p.end()
	}
	p.err = fieldError(name, err)
}

func (p *headerPrinter) addresses(name string, l AddressList) {
	if len(l) == 0 {
		return
	}
	p.field(name, func() error { return l.print(&p.folder) })
}

func (p *headerPrinter) date(t time.Time) {
	t = orNow(t)
	p.field("Date", func() error {
		if y := t.Year(); y < 1900 || y > 9999 {
			return fmt.Errorf("the year %d cannot be written (RFC 5322, 3.3)", y)
		}
		p.word(FormatDate(t))
		return nil
	})
}

func (p *headerPrinter) subject(s string) {
	if s == "" {
		return
	}
	p.field("Subject", func() error {
		if err := checkValue(s); err != nil {
			return err
		}
		p.text(s)
		return nil
	})
}

func (p *headerPrinter) ids(name string, ids []string) {
	if len(ids) == 0 {
		return
	}
	p.field(name, func() error {
		for _, id := range ids {
			id, err := msgID(id, p.raw)
			if err != nil {
				return err
			}
			p.word(id)
		}
		return nil
	})
}

func (p *headerPrinter) other(f Field) {
	if p.err != nil {
		return
	}
	if err := checkFieldName(f.Name); err != nil {
		p.err = &FieldError{fmt.Sprintf("%.40q", f.Name), err}
		return
	}
	p.field(f.Name, func() error {
		if err := checkValue(f.Value); err != nil {
			return err
		}
		p.folder.field(f.Value)
		return nil
	})
}

// checkFieldName refuses what is not a name (RFC 5322, 3.6.8), and the names
// that the composer writes itself: they would be there twice, or tell what Bcc
// hides.
func checkFieldName(name string) error {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f || name[i] == ':' {
			return errors.New("is not a field name")
		}
	}
	switch low := strings.ToLower(name); low {
	case "":
		return errors.New("is not a field name")
	case "from", "sender", "reply-to", "to", "cc", "bcc", "date", "subject",
		"message-id", "in-reply-to", "references", "mime-version":
		return errors.New("is set by its own part of the message")
	default:
		if strings.HasPrefix(low, "content-") {
			return errors.New("is set by its own part of the message")
		}
	}
	return nil
}
