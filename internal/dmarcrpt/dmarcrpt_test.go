package dmarcrpt_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/dmarcrpt"
)

func report() *dmarcrpt.Report {
	p := &dmarcrpt.Report{
		Version: "1.0",
		Metadata: dmarcrpt.Metadata{
			Organization: "mx.sohu.com", Email: "dmarc@sohu.com", ID: "4711", Begin: 1795392000, End: 1795478399,
		},
		Policy: dmarcrpt.Published{Domain: "sina.com", Discovery: "treewalk", P: "reject", Subdomains: "none", DKIM: "r", SPF: "s", Testing: "n"},
		Records: []dmarcrpt.Record{{
			Row: dmarcrpt.Row{
				Source: "192.0.2.7", Count: 12, Disposition: "none", DKIM: "pass", SPF: "fail",
				Reasons: []dmarcrpt.Reason{{Type: "local_policy", Comment: "arc=pass <&>"}},
			},
			Identifiers: dmarcrpt.Identifiers{From: "sina.com", Head: "mail.sina.com"},
			Results: dmarcrpt.Results{
				DKIM: []dmarcrpt.Signature{{Domain: "sina.com", Selector: "s1", Result: "pass"}, {Domain: "list.example", Result: "fail"}},
				SPF:  []dmarcrpt.Sender{{Domain: "sina.com", Scope: "mfrom", Result: "fail"}},
			},
		}},
	}
	p.XMLName = xml.Name{Space: "urn:ietf:params:xml:ns:dmarc-2.0", Local: "feedback"}
	return p
}

// TestThereAndBack: what is written is read as it was, as a mail, packed in either way, and bare.
func TestThereAndBack(t *testing.T) {
	p := report()
	var packed, mail bytes.Buffer
	if err := p.Write(&packed); err != nil {
		t.Fatal(err)
	}
	letter := dmarcrpt.Letter{From: "dmarc@sohu.com", To: "rua@sina.com", Submitter: "mx.sohu.com", Date: time.Unix(1795478400, 0)}
	if err := p.WriteMail(&mail, letter); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"packed": packed.String(), "mail": mail.String()} {
		got, err := dmarcrpt.Read(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Errorf("%s (-written +read):\n%s", name, diff)
		}
	}
	if !strings.Contains(mail.String(), "filename=\"mx.sohu.com!sina.com!1795392000!1795478399!4711.xml.gz\"") {
		t.Errorf("the name of the file:\n%s", mail.String())
	}
	for line := range strings.SplitSeq(mail.String(), "\r\n") {
		if strings.ContainsAny(line, "\r\n") || len(line) > 200 {
			t.Errorf("%q", line)
		}
	}
}

// old is a report as many write it: without a namespace, or with one, in any order, with
// elements that we do not know.
const old = `<?xml version="1.0" encoding="windows-1252"?>
<feedback xmlns="http://dmarc.org/dmarc-xml/0.1">
 <policy_published><domain>sina.com</domain><p>none</p><pct>100</pct><odd/></policy_published>
 <report_metadata><org_name>Example</org_name><email>a@b.example</email><report_id>x!y</report_id>
  <date_range><begin>1377993600</begin><end>1378080000</end></date_range></report_metadata>
 <record><row><source_ip>192.0.2.1</source_ip><count>2</count>
  <policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>pass</spf></policy_evaluated></row>
  <identifiers><header_from>sina.com</header_from></identifiers>
  <auth_results><spf><domain>sina.com</domain><result>pass</result></spf></auth_results></record>
</feedback>
`

func TestWhatOthersWrite(t *testing.T) {
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	f, err := z.Create("report.xml")
	if err == nil {
		_, err = f.Write([]byte(old))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{old, "\r\n" + old[strings.Index(old, "<feedback"):], packed.String()} {
		p, err := dmarcrpt.Read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if p.Policy.Domain != "sina.com" || len(p.Records) != 1 || p.Records[0].Row.Count != 2 || p.Records[0].Row.SPF != "pass" || p.Metadata.Begin != 1377993600 {
			t.Errorf("%+v", p)
		}
	}
}

func TestWhatIsNoReport(t *testing.T) {
	for _, text := range []string{
		"", "<feedback/>", "<html/>", "{}", "PK\x03\x04", "\x1f\x8b", "From: a@b.example\r\n\r\nhello\r\n",
		"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n",
		"<feedback>" + strings.Repeat("<a>", 100_000),
	} {
		if p, err := dmarcrpt.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%.40q was read as %+v", text, p)
		}
	}
	if _, err := dmarcrpt.Read(strings.NewReader("<feedback>" + strings.Repeat(" ", 17<<20))); !errors.Is(err, dmarcrpt.ErrLarge) {
		t.Errorf("a very large one: %v", err)
	}
}

// FuzzRead: whatever comes, what is read is written and read as it was.
func FuzzRead(f *testing.F) {
	f.Add(old)
	f.Add("Content-Type: application/xml\r\n\r\n" + old)
	f.Add("PK\x03\x04")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := dmarcrpt.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := p.Write(&b); err != nil {
			return // octets that XML cannot have
		}
		if _, err := dmarcrpt.Read(&b); err != nil {
			t.Errorf("%v, of what was written for %+v", err, p)
		}
	})
}
