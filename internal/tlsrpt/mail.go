package tlsrpt

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"time"

	"github.com/posthouse/posthouse/message"
)

// Letter is what a report needs to go by mail. The texts are without control characters.
type Letter struct {
	From, To  string // addresses
	Submitter string // our domain
	Domain    string // that the report is about
	Date      time.Time
}

// WriteMail writes the report as a mail (RFC 8460, 5.3), with lines ended by CRLF. It asks
// to be delivered even where TLS fails, since that may be what it tells of (RFC 8689).
func (p *Report) WriteMail(w io.Writer, l Letter) error {
	packed, err := p.packed()
	if err != nil {
		return err
	}
	boundary := "report-" + p.ID
	name := p.Name(l.Submitter, l.Domain)
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("From: <%s>", l.From)
	line("To: <%s>", l.To)
	line("Date: %s", l.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	line("Message-ID: <%s@%s>", p.ID, l.Submitter)
	line("Subject: Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <%s@%s>", l.Domain, l.Submitter, p.ID, l.Submitter)
	line("TLS-Report-Domain: %s", l.Domain)
	line("TLS-Report-Submitter: %s", l.Submitter)
	line("TLS-Required: No")
	line("Auto-Submitted: auto-generated")
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"%s\"", boundary)
	line("")
	line("--%s", boundary)
	line("Content-Type: text/plain; charset=us-ascii")
	line("")
	line("This is a report on TLS between %s and the mail hosts of", l.Submitter)
	line("%s, from %s to %s.", l.Domain, p.Range.Start.UTC().Format(time.RFC3339), p.Range.End.UTC().Format(time.RFC3339))
	line("")
	line("--%s", boundary)
	line("Content-Type: application/tlsrpt+gzip")
	line("Content-Transfer-Encoding: base64")
	line("Content-Disposition: attachment;\r\n filename=\"%s\"", name)
	line("")
	for text := base64.StdEncoding.EncodeToString(packed); text != ""; {
		n := min(len(text), 76)
		line("%s", text[:n])
		text = text[n:]
	}
	line("--%s--", boundary)
	_, err = io.WriteString(w, b.String())
	return err
}

// Read reads a report: the mail that brought it, or what [Parse] reads.
func Read(r io.Reader) (*Report, error) {
	in := bufio.NewReader(io.LimitReader(r, 2*maxReport))
	if head, err := in.Peek(1); err != nil || head[0] == '{' || head[0] == 0x1f || head[0] <= ' ' {
		return Parse(in)
	}
	header, body, err := message.ReadHeader(in, message.HeaderLimits{})
	if err != nil {
		return nil, fmt.Errorf("neither a report nor a mail: %w", err)
	}
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type").Value())
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		return nil, errors.New("the mail has no attachments, and no report in them")
	}
	for parts := multipart.NewReader(body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil, errors.New("the mail has no part of the type application/tlsrpt")
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if !strings.HasPrefix(kind, "application/tlsrpt") {
			continue
		}
		var body io.Reader = part
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64") {
			body = base64.NewDecoder(base64.StdEncoding, part)
		}
		return Parse(body)
	}
}
