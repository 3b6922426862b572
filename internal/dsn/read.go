package dsn

import (
	"bufio"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// ErrNoReport says that a message holds no delivery report.
var ErrNoReport = errors.New("dsn: no delivery report")

// Bounds of what is read.
const (
	maxRead       = 64 << 20 // octets of a message
	maxStatus     = 1 << 20  // octets of the second part
	maxRecipients = 10_000
	maxParts      = 20 // of one multipart
	maxDepth      = 4  // of multiparts in multiparts
)

// Read finds the delivery report in a message, be it the message itself or a
// part of it. It reads reports as they are really written: fields in any order
// and of unknown names, types and comments left out, LF for CRLF, addresses that
// are none. What it cannot make sense of it leaves zero. A recipient that has
// neither an address nor an action is left out.
//
// The fields of the report that come from its second part are MTA, EnvID,
// Arrived, Client, Through (of our own reports) and Recipients; Subject and
// MessageID are those of the message that it is about. From, To and Date are not
// filled in.
//
// The error is [ErrNoReport], or that of the reader. At most 64 MiB are read,
// and a second part is read up to 1 MiB or 10,000 recipients; the rest is passed
// over.
func Read(r io.Reader) (*Report, error) {
	source := &errorReader{r: io.LimitReader(r, maxRead)}
	header, body, err := message.ReadHeader(source, message.HeaderLimits{})
	if err != nil {
		return nil, orNoReport(source)
	}
	f := finder{report: new(Report)}
	f.entity(field(header, "Content-Type"), field(header, "Content-Transfer-Encoding"), body, 0)
	if source.err != nil {
		return nil, source.err
	}
	if len(f.report.Recipients) == 0 {
		return nil, ErrNoReport
	}
	return f.report, nil
}

// errorReader remembers the error of a reader, which the parsers above it may
// have taken for the end.
type errorReader struct {
	r   io.Reader
	err error
}

func (e *errorReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && err != io.EOF {
		e.err = err
	}
	return n, err
}

func orNoReport(source *errorReader) error {
	if source.err != nil {
		return source.err
	}
	return ErrNoReport
}

func field(h message.Header, name string) string { return h.Get(name).Value() }

// finder walks through a message until it has the report and what it is about.
type finder struct {
	report *Report
	done   bool // the original was seen
}

// entity looks at one part.
func (f *finder) entity(contentType, encoding string, body io.Reader, depth int) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil && kind == "" {
		return
	}
	switch {
	case strings.HasPrefix(kind, "multipart/") && depth < maxDepth:
		f.parts(params["boundary"], body, depth)
	case len(f.report.Recipients) > 0:
		f.original(kind, decoded(encoding, body))
	case kind == "message/delivery-status", kind == "message/global-delivery-status":
		f.status(decoded(encoding, body))
	}
}

func (f *finder) parts(boundary string, body io.Reader, depth int) {
	if boundary == "" {
		return
	}
	r := multipart.NewReader(body, boundary)
	for range maxParts {
		p, err := r.NextRawPart()
		if err != nil || f.done {
			return
		}
		f.entity(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, depth+1)
	}
}

func decoded(encoding string, body io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	}
	return body
}

// original takes what tells of the message that the report is about.
func (f *finder) original(kind string, body io.Reader) {
	switch kind {
	case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/rfc822-headers":
	default:
		return
	}
	f.done = true
	h, _, _ := message.ReadHeader(body, message.HeaderLimits{}) // as much as there is
	f.report.MessageID = clip(clean(field(h, "Message-ID")), clipped)
	f.report.Subject = clip(clean(h.Get("Subject").Text()), clipped)
}

// status reads the groups of fields of the second part.
func (f *finder) status(body io.Reader) {
	r := bufio.NewReader(io.LimitReader(body, maxStatus))
	first := true
	for len(f.report.Recipients) < maxRecipients {
		group, err := fields(r)
		if len(group) > 0 {
			f.group(group, first)
			first = false
		}
		if err != nil {
			return
		}
	}
}

// fields reads a group of fields up to the empty line after it. The error is
// io.EOF, or another that ends the part.
func fields(r *bufio.Reader) (message.Header, error) {
	h := message.NewHeaderReader(r, message.HeaderLimits{})
	var group message.Header
	for {
		f, err := h.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return group, err
		}
		group = append(group, append(message.RawField(nil), f...))
	}
	if len(h.End()) > 0 {
		return group, nil
	}
	// A line that is no field, or the end. What follows the line is read on.
	rest := h.Body()
	if rest == io.Reader(r) {
		_, err := r.Peek(1)
		return group, err
	}
	return group, nil
}

// group takes the fields of the message, or of one recipient. Some reports have
// no group for the message.
func (f *finder) group(h message.Header, first bool) {
	to := recipientOf(h)
	if to.Final.Addr != "" || to.Original.Addr != "" || to.Action != 0 {
		f.report.Recipients = append(f.report.Recipients, to)
	}
	if !first {
		return
	}
	f.report.MTA = mta(field(h, "Reporting-MTA"))
	f.report.Client = mta(field(h, "Received-From-MTA"))
	f.report.EnvID = text(field(h, "Original-Envelope-Id"))
	f.report.Through = text(field(h, "X-Posthouse-ID"))
	f.report.Arrived = date(field(h, "Arrival-Date"))
}

func recipientOf(h message.Header) Recipient {
	to := Recipient{
		Final: addr(field(h, "Final-Recipient")), Original: addr(field(h, "Original-Recipient")),
		Action: action(field(h, "Action")), Attempted: date(field(h, "Last-Attempt-Date")),
		Until: date(field(h, "Will-Retry-Until")),
	}
	code, _, _ := strings.Cut(text(field(h, "Status")), " ")
	to.Status, _ = smtp.ParseEnhancedCode(code)
	to.Remote = mta(field(h, "Remote-MTA"))
	to.Diagnostic.Type, to.Diagnostic.Text = typed(field(h, "Diagnostic-Code"))
	return to
}

// text is the value of a field as one clean line.
func text(value string) string { return clip(clean(value), 4*clipped) }

// typed splits "dns; mx.example.org". A value without a type is all text.
func typed(value string) (kind, rest string) {
	kind, rest, ok := strings.Cut(text(value), ";")
	if !ok {
		return "", strings.TrimSpace(kind)
	}
	return strings.ToLower(strings.TrimSpace(kind)), strings.TrimSpace(rest)
}

// mta reads the name of a mail system; a comment behind it is left out.
func mta(value string) string {
	_, name := typed(value)
	name, _, _ = strings.Cut(name, " (")
	return name
}

// addr reads an address with its type, also in the angle brackets that some put
// around it.
func addr(value string) smtp.ORcpt {
	kind, rest := typed(value)
	if inner, ok := strings.CutPrefix(rest, "<"); ok {
		rest = strings.TrimSuffix(inner, ">")
	}
	if rest == "" {
		return smtp.ORcpt{}
	}
	if kind == "utf-8" {
		rest = unxtext(rest)
	}
	return smtp.ORcpt{Type: orElse(kind, "rfc822"), Addr: rest}
}

func action(value string) mail.Action {
	word, _, _ := strings.Cut(text(value), " ")
	for a := mail.ReportFailed; a <= mail.ReportExpanded; a++ {
		if strings.EqualFold(word, a.String()) {
			return a
		}
	}
	return 0
}

// date reads a date as RFC 5322 has it, with or without the day of the week and
// a comment.
func date(value string) time.Time {
	value, _, _ = strings.Cut(text(value), " (")
	if _, after, ok := strings.Cut(value, ","); ok {
		value = strings.TrimSpace(after)
	}
	for _, layout := range []string{"2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04 -0700", "2 Jan 2006 15:04:05 MST", "2 Jan 06 15:04:05 -0700"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t
		}
	}
	return time.Time{}
}
