package dmarcrpt

import (
	"bufio"
	"bytes"
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
	Date      time.Time
}

// WriteMail writes the report as a mail (RFC 9990, 3.5), with lines ended by CRLF.
func (p *Report) WriteMail(w io.Writer, l Letter) error {
	var packed bytes.Buffer
	if err := p.Write(&packed); err != nil {
		return err
	}
	boundary := "report-" + p.Metadata.ID
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("From: <%s>", l.From)
	line("To: <%s>", l.To)
	line("Date: %s", message.FormatDate(l.Date))
	line("Message-ID: <%s@%s>", p.Metadata.ID, l.Submitter)
	line("Subject: Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <%s>", p.Policy.Domain, l.Submitter, p.Metadata.ID)
	line("Auto-Submitted: auto-generated")
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/mixed;\r\n boundary=\"%s\"", boundary)
	line("")
	line("--%s", boundary)
	line("Content-Type: text/plain; charset=us-ascii")
	line("")
	line("This is a report on mail that names %s as its author,", p.Policy.Domain)
	line("as it came to %s, from %s to %s (DMARC, RFC 9990).", l.Submitter, p.Metadata.Begin.Time().Format(time.RFC3339), p.Metadata.End.Time().Format(time.RFC3339))
	line("")
	line("--%s", boundary)
	line("Content-Type: application/gzip")
	line("Content-Transfer-Encoding: base64")
	line("Content-Disposition: attachment;\r\n filename=\"%s\"", p.Name(l.Submitter))
	line("")
	for text := base64.StdEncoding.EncodeToString(packed.Bytes()); text != ""; {
		n := min(len(text), 76)
		line("%s", text[:n])
		text = text[n:]
	}
	line("--%s--", boundary)
	_, err := io.WriteString(w, b.String())
	return err
}

// Read reads a report: the mail that brought it, or what [Parse] reads.
func Read(r io.Reader) (*Report, error) {
	in := bufio.NewReader(io.LimitReader(r, 2*maxReport))
	if head, err := in.Peek(2); err != nil || head[0] == '<' || head[0] == 0x1f || head[0] == 0xef || head[0] <= ' ' || string(head) == "PK" {
		return Parse(in)
	}
	header, body, err := message.ReadHeader(in, message.HeaderLimits{})
	if err != nil {
		return nil, fmt.Errorf("neither a report nor a mail: %w", err)
	}
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type").Value())
	encoding := header.Get("Content-Transfer-Encoding").Value()
	switch {
	case err != nil:
		return nil, errors.New("the mail has no attachments, and no report in them")
	case carries(kind):
		return Parse(decoded(body, encoding))
	case !strings.HasPrefix(kind, "multipart/"):
		return nil, errors.New("the mail has no attachments, and no report in them")
	}
	for parts := multipart.NewReader(body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil, errors.New("the mail has no part that is a report on DMARC")
		}
		if kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); carries(kind) {
			return Parse(decoded(part, part.Header.Get("Content-Transfer-Encoding")))
		}
	}
}

// carries reports whether a part of a type may be a report.
func carries(kind string) bool {
	switch kind {
	case "application/gzip", "application/x-gzip", "application/zip", "application/x-zip-compressed", "application/xml", "text/xml", "application/octet-stream":
		return true
	}
	return false
}

func decoded(r io.Reader, encoding string) io.Reader {
	if strings.EqualFold(strings.TrimSpace(encoding), "base64") {
		return base64.NewDecoder(base64.StdEncoding, r)
	}
	return r
}
