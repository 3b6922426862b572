package daemon

import (
	"context"
	"errors"
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
		tally := dmarctally.New(states)
		d := &dmarcReporter{resolver: dnstest.New(t, `
_dmarc.sina.com                          TXT v=DMARC1; p=reject
sina.com._report._dmarc.watch.example    TXT v=DMARC1
sina.com._report._dmarc.moved.example    TXT v=DMARC1; rua=mailto:new@moved.example,mailto:victim@else.example
sina.com._report._dmarc.liar.example     TXT v=spf1
`)}
		d.reporting = reporting{
			from: from, hostname: "mx.sohu.com",
			submit: func(_ context.Context, s intake.Submission) (intake.Submitted, error) {
				text, err := io.ReadAll(s.Text)
				mails[s.To[0].To.String()] += string(text)
				return intake.Submitted{}, err
			},
		}
		r := &daily[dmarctally.Count]{subject: "DMARC", days: &tally.Daily, log: slog.New(slog.DiscardHandler), send: d.send}
		note := func(f *sender.Finding) {
			tally.Note(t.Context(), time.Now(), publishedOf(&f.DMARC), f.DMARC.Record.Aggregate, recordOf(f))
		}
		policyOf := func(rua ...string) *dmarc.Record {
			return &dmarc.Record{Policy: dmarc.Reject, Subdomains: dmarc.Reject, Nonexistent: dmarc.Reject, Aggregate: rua, Options: "0"}
		}
		good := &sender.Finding{
			Client: netip.MustParseAddr("192.0.2.7"), From: "sina.com", SPF: spf.Result{Verdict: senderauth.Pass, Domain: "sina.com"},
			DKIM: []senderauth.MethodResult{{Method: "dkim", Verdict: senderauth.Pass, Properties: []senderauth.Property{{Type: "header", Name: "d", Value: "mail.sina.com"}}}},
			DMARC: dmarc.Result{
				Verdict: senderauth.Pass, Domain: "sina.com", Organization: "sina.com", PolicyDomain: "sina.com", Published: dmarc.Reject,
				Record: policyOf("mailto:rua@sina.com!10m", "mailto:sina@watch.example", "mailto:old@moved.example", "mailto:victim@liar.example", "mailto:victim@else.example"),
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
		if !slices.Equal(to, []string{"new@moved.example", "rua@sina.com", "sina@watch.example"}) {
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
			{Source: "192.0.2.7", Count: 2, Disposition: "pass", DKIM: "pass", SPF: "pass"},
			{Source: "198.51.100.9", Count: 1, Disposition: "reject", DKIM: "fail", SPF: "fail"},
		} {
			if got := report.Records[i].Row; got.Source != want.Source || got.Count != want.Count || got.Disposition != want.Disposition || got.DKIM != want.DKIM || got.SPF != want.SPF {
				t.Errorf("row %d is %+v", i, got)
			}
		}
	})
}

// TestReceiver: only addresses get reports.
func TestReceiver(t *testing.T) {
	for uri, want := range map[string]string{
		"mailto:a@b.example": "a@b.example", "mailto:a@b.example!10m": "a@b.example", "MAILTO:a%2bx@b.example!5k": "a+x@b.example",
		"https://b.example": "", "mailto:": "", "mailto:a@b.example,c@d.example": "", "mailto:a@b.example%0d%0aRSET": "", "%zz": "",
	} {
		got := ""
		if to, ok := receiver(uri); ok {
			got = to.String()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}

// TestMayHave: reports stay within an organization, unless somebody else asks for them.
func TestMayHave(t *testing.T) {
	r := &dmarcReporter{resolver: dnstest.New(t, `
_dmarc.sina.com           TXT v=DMARC1; p=reject
_dmarc.own.sina.com       TXT v=DMARC1; p=none; psd=n
_dmarc.bank               TXT v=DMARC1; p=reject; psd=y
_dmarc.slow.example       TXT !temporary
`)}
	for _, c := range []struct{ about, to, want string }{
		{"sina.com", "a@sina.com", "a@sina.com"},
		{"sina.com", "a@mail.sina.com", "a@mail.sina.com"},
		{"news.sina.com", "a@sina.com", "a@sina.com"},
		{"news.sina.com", "a@mail.sina.com", "a@mail.sina.com"},
		{"own.sina.com", "a@sina.com", errUnwanted.Error()},
		{"a.bank", "a@b.bank", errUnwanted.Error()},
		{"bank", "a@b.bank", errUnwanted.Error()},
		{"sina.com", "a@[192.0.2.1]", errUnwanted.Error()},
	} {
		to, err := smtp.ParseMailbox(c.to)
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.mayHave(t.Context(), c.about, to)
		got := fmt.Sprint(err)
		if err == nil {
			got = all[0].String()
		}
		if got != c.want {
			t.Errorf("%s to %s: %s, want %s", c.about, c.to, got, c.want)
		}
	}
	to, _ := smtp.ParseMailbox("a@slow.example")
	if _, err := r.mayHave(t.Context(), "sina.com", to); err == nil || errors.Is(err, errUnwanted) {
		t.Errorf("while the DNS is silent: %v", err)
	}
}
