package tlsrpt_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/tlsrpt"
)

// example is that of RFC 8460, appendix B, with the values that matter.
const example = `{
 "organization-name": "Company-X",
 "date-range": {"start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z"},
 "contact-info": "sts-reporting@company-x.example",
 "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
 "policies": [{
  "policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: testing"], "policy-domain": "company-y.example", "mx-host": ["*.mail.company-y.example"]},
  "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
  "failure-details": [{"result-type": "certificate-expired", "sending-mta-ip": "2001:db8:abcd:0012::1", "receiving-mx-hostname": "mx1.mail.company-y.example", "failed-session-count": 100}]
 }]
}`

func TestRead(t *testing.T) {
	r, err := tlsrpt.Read(strings.NewReader(example))
	if err != nil || r.Policies[0].Summary.Successful != 5326 || r.Policies[0].Failures[0].Count != 100 || r.Range.End.Second() != 59 {
		t.Fatalf("%+v, %v", r, err)
	}
	var packed, letter bytes.Buffer
	if err := r.Write(&packed); err != nil {
		t.Fatal(err)
	}
	l := tlsrpt.Letter{From: "tls@a.test", To: "reports@b.test", Submitter: "a.test", Domain: "company-y.example", Date: time.Date(2016, 4, 2, 1, 2, 3, 0, time.UTC)}
	if err := r.WriteMail(&letter, l); err != nil {
		t.Fatal(err)
	}
	text := letter.String()
	for _, want := range []string{
		"\r\nTLS-Report-Domain: company-y.example\r\n", "\r\nTLS-Report-Submitter: a.test\r\n", "\r\nTLS-Required: No\r\n",
		"filename=\"a.test!company-y.example!1459468800!1459555199!5065427c-23d3-47ca-b6e0-946ea0e8c4be.json.gz\"",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the mail:\n%s", want, text)
		}
	}
	if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
		t.Error("a line does not end with CRLF")
	}
	for name, in := range map[string]string{"packed": packed.String(), "a mail": text} {
		again, err := tlsrpt.Read(strings.NewReader(in))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%s: %+v, %v", name, again, err)
		}
	}
}

func TestWhatIsNoReport(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "no report",
		"{}":                              "no policy",
		"[]":                              "no report",
		"\x1f\x8bnot gzip":                "gzip",
		"Subject: hello\r\n\r\nhello\r\n": "no attachments",
		"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nx\r\n--x--\r\n": "no part of the type",
		"{\"policies\": [" + strings.Repeat("{},", 6<<20) + "{}]}":                                               "more than 16 MiB",
	} {
		if r, err := tlsrpt.Read(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %+v, %v; want %q", in, r, err, want)
		}
	}
}

func TestParseRecord(t *testing.T) {
	for _, c := range []struct {
		texts []string
		want  []string
	}{
		{[]string{"v=TLSRPTv1;rua=mailto:reports@example.com"}, []string{"mailto:reports@example.com"}},
		{[]string{"v=spf1", "v=TLSRPTv1; rua=https://a.test/v1, mailto:b@c.test;"}, []string{"https://a.test/v1", "mailto:b@c.test"}},
		{[]string{"v=TLSRPTv1; rua=http://a.test/, ftp://a.test, file:///etc/passwd, x"}, nil},
		{[]string{"v=TLSRPTv1; rua=mailto:a@b.test", "v=TLSRPTv1; rua=mailto:c@d.test"}, nil},
		{[]string{"v=TLSRPTv2; rua=mailto:a@b.test"}, nil},
		{[]string{"v=TLSRPTv1;"}, nil},
		{nil, nil},
	} {
		if got := tlsrpt.ParseRecord(c.texts); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.texts, got, c.want)
		}
	}
	if n := len(tlsrpt.ParseRecord([]string{"v=TLSRPTv1;rua=" + strings.Repeat("mailto:a@b.test,", 100)})); n != 10 {
		t.Errorf("%d places", n)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: application/tlsrpt+json\r\n\r\n" + example + "\r\n--x--\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := tlsrpt.Read(bytes.NewReader(in))
		if err != nil {
			return
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Skip(err) // years of five digits
		}
		again, err := tlsrpt.Parse(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if text2, _ := json.Marshal(again); string(text2) != string(text) {
			t.Errorf("%s reads as %s", text, text2)
		}
	})
}
