package tlsrpt

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Report is one report (RFC 8460, 4.4).
type Report struct {
	Organization string    `json:"organization-name"`
	Range        DateRange `json:"date-range"`
	Contact      string    `json:"contact-info"`
	ID           string    `json:"report-id"`
	Policies     []Policy  `json:"policies"`
}

// DateRange is the time that a report is about.
type DateRange struct {
	Start time.Time `json:"start-datetime"`
	End   time.Time `json:"end-datetime"`
}

// Policy is what a policy came to.
type Policy struct {
	Policy struct {
		Type   string   `json:"policy-type"` // "tlsa", "sts" or "no-policy-found"
		String []string `json:"policy-string,omitempty"`
		Domain string   `json:"policy-domain"`
		MXHost []string `json:"mx-host,omitempty"`
	} `json:"policy"`
	Summary struct {
		Successful int64 `json:"total-successful-session-count"`
		Failed     int64 `json:"total-failure-session-count"`
	} `json:"summary"`
	Failures []Failure `json:"failure-details,omitempty"`
}

// Types of policies.
const (
	TypeDANE = "tlsa"
	TypeSTS  = "sts"
	TypeNone = "no-policy-found"
)

// Failure is sessions that failed for one reason.
type Failure struct {
	Type     string `json:"result-type"` // "certificate-expired" ...
	Sender   string `json:"sending-mta-ip,omitempty"`
	MX       string `json:"receiving-mx-hostname,omitempty"`
	Receiver string `json:"receiving-ip,omitempty"`
	Count    int64  `json:"failed-session-count"`
	More     string `json:"additional-information,omitempty"`
	Reason   string `json:"failure-reason-code,omitempty"`
}

// maxReport is how many octets of JSON are read.
const maxReport = 16 << 20

// ErrLarge says that a report has more than 16 MiB.
var ErrLarge = errors.New("the report has more than 16 MiB")

// Parse reads a report, JSON as it is or packed by gzip. What is in it was written by a
// stranger: it is not fit for a terminal.
func Parse(r io.Reader) (*Report, error) {
	in := bufio.NewReader(r)
	if head, err := in.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		in = bufio.NewReader(unpacked)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxReport+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxReport:
		return nil, ErrLarge
	}
	p := new(Report)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("no report on TLS: %w", err)
	}
	if len(p.Policies) == 0 {
		return nil, errors.New("no report on TLS: it tells of no policy")
	}
	return p, nil
}

// Write prints the report as [Parse] reads it, packed by gzip.
func (p *Report) Write(w io.Writer) error {
	packed := gzip.NewWriter(w)
	return errors.Join(json.NewEncoder(packed).Encode(p), packed.Close())
}

// Name is the name of the report's file (RFC 8460, 5.1). domain is whom it is about, and
// sender who has written it.
func (p *Report) Name(sender, domain string) string {
	return fmt.Sprintf("%s!%s!%d!%d!%s.json.gz", sender, domain, p.Range.Start.Unix(), p.Range.End.Unix(), p.ID)
}

// packed returns the report as it is sent.
func (p *Report) packed() ([]byte, error) {
	var b bytes.Buffer
	err := p.Write(&b)
	return b.Bytes(), err
}
