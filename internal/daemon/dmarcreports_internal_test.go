package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dmarcrpt"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/dmarctally"
	"github.com/posthouse/posthouse/internal/policy/sender"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dmarc"
	"github.com/posthouse/posthouse/senderauth/spf"
	"github.com/posthouse/posthouse/smtp"
)

// TestReportsOnDMARC: a domain gets one report a day, where it may have it sent: to itself, or to who has
// said that he wants it.
func TestReportsOnDMARC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := memspool.New(memspool.Options{Random: rand.NewChaCha8([32]byte{1})})
		defer states.Close()
		from, _ := smtp.ParseMailbox("dmarc@sohu.com")
		mails := map[string]string{}
		r := &dmarcReporter{
			tally: &dmarctally.Tally{States: states}, from: from, hostname: "mx.sohu.com", log: slog.New(slog.DiscardHandler),
			resolver: dnstest.New(t, `
sina.com._report._dmarc.watch.example    TXT v=DMARC1
sina.com._report._dmarc.liar.example     TXT v=spf1
`),
			submit: func(_ context.Context, s intake.Submission) (intake.Submitted, error) {
				text, err := io.ReadAll(s.Text)
				mails[s.To[0].To.String()] += string(text)
				return intake.Submitted{}, err
			},
		}
		note := func(f *sender.Finding) {
			r.tally.Note(t.Context(), time.Now(), publishedOf(&f.DMARC), f.DMARC.Record.Aggregate, recordOf(f))
		}
		policyOf := func(rua ...string) *dmarc.Record {
			return &dmarc.Record{Policy: dmarc.Reject, Subdomains: dmarc.Reject, Nonexistent: dmarc.Reject, Aggregate: rua, Options: "0"}
		}
		good := &sender.Finding{
			Client: netip.MustParseAddr("192.0.2.7"), From: "sina.com", SPF: spf.Result{Verdict: senderauth.Pass, Domain: "sina.com"},
			DKIM: []senderauth.MethodResult{{Method: "dkim", Verdict: senderauth.Pass, Properties: []senderauth.Property{{Type: "header", Name: "d", Value: "mail.sina.com"}}}},
			DMARC: dmarc.Result{
				Verdict: senderauth.Pass, Domain: "sina.com", Organization: "sina.com", PolicyDomain: "sina.com",
				Record: policyOf("mailto:rua@sina.com!10m", "mailto:sina@watch.example", "mailto:victim@liar.example", "mailto:victim@else.example",
					"https://sina.com/", "mailto:small@sina.com!1"),
			},
		}
		bad := *good
		bad.Client, bad.Applied = netip.MustParseAddr("198.51.100.9"), policy.Reject
		bad.SPF = spf.Result{Verdict: senderauth.Pass, Domain: "eve.example"}
		bad.DKIM = nil
		bad.DMARC.Verdict, bad.DMARC.Published, bad.DMARC.Disposition = senderauth.Fail, dmarc.Reject, dmarc.Reject
		note(good)
		note(good)
		note(&bad)
		elsewhere := *good
		elsewhere.DMARC.PolicyDomain, elsewhere.DMARC.Record = "nobody.example", policyOf("mailto:victim@else.example")
		note(&elsewhere)

		r.sendDue(t.Context(), time.Now())
		if len(mails) != 0 {
			t.Errorf("before the day is over: %v", mails)
		}
		time.Sleep(29 * time.Hour)
		r.sendDue(t.Context(), time.Now())
		r.sendDue(t.Context(), time.Now())
		var to []string
		for address := range mails {
			to = append(to, address)
		}
		slices.Sort(to)
		if !slices.Equal(to, []string{"rua@sina.com", "sina@watch.example"}) {
			t.Fatalf("reports went to %q", to)
		}
		report, err := dmarcrpt.Read(strings.NewReader(mails["rua@sina.com"]))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(mails["rua@sina.com"], "From: ") != 1 {
			t.Error("it was sent twice")
		}
		if report.Policy.Domain != "sina.com" || report.Policy.P != "reject" || len(report.Records) != 2 {
			t.Fatalf("%+v", report)
		}
		for i, want := range []dmarcrpt.Row{
			{Source: "192.0.2.7", Count: 2, Disposition: "none", DKIM: "pass", SPF: "pass"},
			{Source: "198.51.100.9", Count: 1, Disposition: "reject", DKIM: "fail", SPF: "fail"},
		} {
			if got := report.Records[i].Row; got.Source != want.Source || got.Count != want.Count || got.Disposition != want.Disposition || got.DKIM != want.DKIM || got.SPF != want.SPF {
				t.Errorf("row %d is %+v", i, got)
			}
		}
	})
}

// TestReceiver: only addresses get reports, and none larger than they take.
func TestReceiver(t *testing.T) {
	for uri, want := range map[string]string{
		"mailto:a@b.example": "a@b.example 0", "mailto:a@b.example!10m": "a@b.example 10485760", "MAILTO:a%2bx@b.example!5k": "a+x@b.example 5120",
		"mailto:a@b.example!7": "a@b.example 7", "mailto:a@b.example!x": "a@b.example 0", "mailto:a@b.example!9999999999t": "a@b.example 0",
		"https://b.example": "", "mailto:": "", "mailto:a@b.example,c@d.example": "", "mailto:a@b.example%0d%0aRSET": "", "%zz": "",
	} {
		got := ""
		if to, most, ok := receiver(uri); ok {
			got = fmt.Sprint(to, " ", most)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}
