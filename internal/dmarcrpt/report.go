// Package dmarcrpt is the words of aggregate reports on DMARC (RFC 9990, and RFC 7489, appendix C, which
// most still write): what a receiver found of the mail that names a domain as its author.
//
// [Read] reads one as it comes by mail, [Report.WriteMail] writes one. Failure reports are
// not written: they would tell strangers whom our people get mail from.
package dmarcrpt

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Report is one report.
type Report struct {
	XMLName  xml.Name  `xml:"feedback" json:"-"`
	Version  string    `xml:"version,omitempty" json:"version,omitempty"`
	Metadata Metadata  `xml:"report_metadata" json:"metadata"`
	Policy   Published `xml:"policy_published" json:"policy"`
	Records  []Record  `xml:"record" json:"records"`
}

// Metadata is who reports, and about when.
type Metadata struct {
	Organization string   `xml:"org_name" json:"organization"`
	Email        string   `xml:"email" json:"email"`
	Contact      string   `xml:"extra_contact_info,omitempty" json:"contact,omitempty"`
	ID           string   `xml:"report_id" json:"id"`
	Begin        Seconds  `xml:"date_range>begin" json:"begin"`
	End          Seconds  `xml:"date_range>end" json:"end"`
	Errors       []string `xml:"error,omitempty" json:"errors,omitempty"`
	Generator    string   `xml:"generator,omitempty" json:"generator,omitempty"`
}

// Seconds is an instant, in seconds since 1970.
type Seconds int64

// Time is the instant.
func (s Seconds) Time() time.Time { return time.Unix(int64(s), 0).UTC() }

// Published is the policy that was found.
type Published struct {
	Domain      string `xml:"domain" json:"domain"`
	Discovery   string `xml:"discovery_method,omitempty" json:"discovery,omitempty"` // "treewalk" or "psl"
	P           string `xml:"p" json:"p"`
	Subdomains  string `xml:"sp,omitempty" json:"sp,omitempty"`
	Nonexistent string `xml:"np,omitempty" json:"np,omitempty"`
	DKIM        string `xml:"adkim,omitempty" json:"adkim,omitempty"` // "r" or "s"
	SPF         string `xml:"aspf,omitempty" json:"aspf,omitempty"`
	Percent     string `xml:"pct,omitempty" json:"pct,omitempty"`
	Failure     string `xml:"fo,omitempty" json:"fo,omitempty"`
	Testing     string `xml:"testing,omitempty" json:"testing,omitempty"` // "y" or "n"
}

// Record is messages that fared alike.
type Record struct {
	Row         Row         `xml:"row" json:"row"`
	Identifiers Identifiers `xml:"identifiers" json:"identifiers"`
	Results     Results     `xml:"auth_results" json:"results"`
}

// Row is how many messages came from an address, and what was done with them.
type Row struct {
	Source      string   `xml:"source_ip" json:"source"`
	Count       int64    `xml:"count" json:"count"`
	Disposition string   `xml:"policy_evaluated>disposition" json:"disposition"` // "none", "quarantine", "reject"; RFC 9990: "pass" too
	DKIM        string   `xml:"policy_evaluated>dkim" json:"dkim"`               // aligned: "pass" or "fail"
	SPF         string   `xml:"policy_evaluated>spf" json:"spf"`
	Reasons     []Reason `xml:"policy_evaluated>reason" json:"reasons,omitempty"`
}

// Reason is why it is not as the policy wants.
type Reason struct {
	Type    string `xml:"type" json:"type"` // "local_policy", "policy_test_mode", "mailing_list" ...
	Comment string `xml:"comment,omitempty" json:"comment,omitempty"`
}

// Identifiers are the domains that the messages bore.
type Identifiers struct {
	To   string `xml:"envelope_to,omitempty" json:"envelope_to,omitempty"`
	From string `xml:"envelope_from" json:"envelope_from"`
	Head string `xml:"header_from" json:"header_from"`
}

// Results are what was found, aligned or not.
type Results struct {
	DKIM []Signature `xml:"dkim" json:"dkim,omitempty"`
	SPF  []Sender    `xml:"spf" json:"spf,omitempty"`
}

// Signature is a signature, and what it proves.
type Signature struct {
	Domain   string `xml:"domain" json:"domain"`
	Selector string `xml:"selector,omitempty" json:"selector,omitempty"`
	Result   string `xml:"result" json:"result"`
}

// Sender is a domain that SPF was asked about.
type Sender struct {
	Domain string `xml:"domain" json:"domain"`
	Scope  string `xml:"scope,omitempty" json:"scope,omitempty"` // "mfrom" or "helo"
	Result string `xml:"result" json:"result"`
}

// maxReport is how many octets of a report are read, packed or not.
const maxReport = 16 << 20

// What may be wrong with a report.
var (
	ErrLarge   = errors.New("the report has more than 16 MiB")
	errRecords = errors.New("no report on DMARC: it tells of no domain")
)

// Parse reads a report: XML as it is, or packed by gzip or zip. What is in it was written by a
// stranger: it is not fit for a terminal.
func Parse(r io.Reader) (*Report, error) {
	data, err := readAll(r)
	if err == nil {
		data, err = unpack(data)
	}
	if err != nil {
		return nil, err
	}
	p := new(Report)
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // names are ASCII in any of them
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("no report on DMARC: %w", err)
	}
	if p.Policy.Domain == "" {
		return nil, errRecords
	}
	return p, nil
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err == nil && len(data) > maxReport {
		err = ErrLarge
	}
	return data, err
}

// unpack unpacks what is packed.
func unpack(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\x1f\x8b")):
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return readAll(r)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil || len(z.File) == 0 {
			return nil, errors.Join(errors.New("zip: no file is in it"), err)
		}
		f, err := z.File[0].Open()
		if err != nil {
			return nil, fmt.Errorf("zip: %w", err)
		}
		defer f.Close()
		return readAll(f)
	}
	return data, nil
}

// namespace is that of reports as RFC 9990, 3.1.1 has them.
const namespace = "urn:ietf:params:xml:ns:dmarc-2.0"

// Write prints the report as [Parse] reads it, packed by gzip.
func (p *Report) Write(w io.Writer) error {
	root := xml.StartElement{Name: xml.Name{Space: namespace, Local: "feedback"}}
	packed := gzip.NewWriter(w)
	e := xml.NewEncoder(packed)
	e.Indent("", " ")
	_, err := io.WriteString(packed, xml.Header)
	return errors.Join(err, e.EncodeElement(p, root), packed.Close())
}

// Name is the name of the report's file (RFC 9990, 3.5.2). sender is who has written it.
func (p *Report) Name(sender string) string {
	return fmt.Sprintf("%s!%s!%d!%d!%s.xml.gz", sender, p.Policy.Domain, p.Metadata.Begin, p.Metadata.End, strings.ReplaceAll(p.Metadata.ID, "!", "-"))
}
