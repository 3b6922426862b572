package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/dmarcrpt"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/dmarctally"
	"github.com/posthouse/posthouse/internal/policy/sender"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dmarc"
	"github.com/posthouse/posthouse/smtp"
)

// dmarcReporter sends reports on DMARC to domains that want them (RFC 9990).
type dmarcReporter struct {
	reporting
	resolver dns.Resolver
}

// found is what counts for the reports; nil if nobody gets any.
func (b *builder) found() func(context.Context, *sender.Finding) {
	if b.cfg.Policy.ReportFrom.Value.IsNull() {
		return nil
	}
	b.dmarc = dmarctally.New(b.states)
	return func(ctx context.Context, f *sender.Finding) {
		if r := f.DMARC.Record; r != nil && len(r.Aggregate) > 0 {
			b.dmarc.Note(ctx, f.At, publishedOf(&f.DMARC), r.Aggregate, recordOf(f))
		}
	}
}

// publishedOf is the policy that was found.
func publishedOf(r *dmarc.Result) dmarcrpt.Published {
	mode := func(strict bool) string {
		if strict {
			return "s"
		}
		return "r"
	}
	p := dmarcrpt.Published{
		Domain: r.PolicyDomain, Discovery: "treewalk",
		P: string(r.Record.Policy), Subdomains: string(r.Record.Subdomains), Nonexistent: string(r.Record.Nonexistent),
		DKIM: mode(r.Record.StrictDKIM), SPF: mode(r.Record.StrictSPF), Failure: r.Record.Options, Testing: "n",
	}
	if r.Record.Testing {
		p.Testing = "y"
	}
	return p
}

// recordOf is a record of one message.
func recordOf(f *sender.Finding) dmarcrpt.Record {
	r := dmarcrpt.Record{
		Row: dmarcrpt.Row{
			Source: f.Client.String(), Count: 1, Disposition: dispositionOf(f), DKIM: "fail",
			SPF: aligned(&f.DMARC, f.SPF.Domain, f.SPF.Verdict, f.DMARC.Record.StrictSPF),
		},
		Identifiers: dmarcrpt.Identifiers{From: f.From, Head: f.DMARC.Domain},
	}
	switch {
	case f.Vouched != "":
		r.Row.Reasons = []dmarcrpt.Reason{{Type: "local_policy", Comment: "arc=pass, sealed by " + f.Vouched}}
	case f.DMARC.Verdict == senderauth.Fail && f.DMARC.Published != f.DMARC.Disposition:
		r.Row.Reasons = []dmarcrpt.Reason{{Type: "policy_test_mode"}}
	case f.DMARC.Verdict == senderauth.Fail && r.Row.Disposition != string(f.DMARC.Disposition):
		r.Row.Reasons = []dmarcrpt.Reason{{Type: "local_policy"}}
	}
	if f.SPF.Verdict != "" {
		r.Results.SPF = []dmarcrpt.Sender{{Domain: f.SPF.Domain, Scope: "mfrom", Result: string(f.SPF.Verdict)}}
	}
	for _, m := range f.DKIM {
		if s := signatureOf(&m); m.Method == "dkim" && s.Domain != "" {
			r.Results.DKIM = append(r.Results.DKIM, s)
			if aligned(&f.DMARC, s.Domain, m.Verdict, f.DMARC.Record.StrictDKIM) == "pass" {
				r.Row.DKIM = "pass"
			}
		}
	}
	return r
}

// aligned is "pass" if a domain that was proved speaks for the author: it is his, or, unless the policy
// is strict, one of the same organization (RFC 9989, 4.4).
func aligned(r *dmarc.Result, domain string, v senderauth.Verdict, strict bool) string {
	related := !strict && r.Organization != "" && (domain == r.Organization || strings.HasSuffix(domain, "."+r.Organization))
	if v == senderauth.Pass && (domain == r.Domain || related) {
		return "pass"
	}
	return "fail"
}

// signatureOf is what was found of a signature.
func signatureOf(m *senderauth.MethodResult) dmarcrpt.Signature {
	s := dmarcrpt.Signature{Result: string(m.Verdict)}
	for _, p := range m.Properties {
		switch p.Name {
		case "d":
			s.Domain = p.Value
		case "s":
			s.Selector = p.Value
		}
	}
	return s
}

// dispositionOf is what was done: "pass" if the domain would have had it done otherwise, had the message
// not been proved.
func dispositionOf(f *sender.Finding) string {
	switch {
	case f.Applied == policy.Quarantine:
		return "quarantine"
	case f.Applied == policy.Reject:
		return "reject"
	case f.DMARC.Verdict == senderauth.Pass && f.DMARC.Published != dmarc.None:
		return "pass"
	}
	return "none"
}

// maxReceivers is to how many a domain may have its report sent (RFC 9990, 3.5.1: two at
// least).
const maxReceivers = 5

// send sends a report to all who want it and may have it.
func (r *dmarcReporter) send(ctx context.Context, day *spool.Day[dmarctally.Count]) error {
	report := r.make(day)
	var errs []error
	sent := 0
	for _, uri := range day.Value.To[:min(len(day.Value.To), maxReceivers)] {
		to, ok := receiver(uri)
		if !ok {
			continue
		}
		n, err := r.sendTo(ctx, to, report)
		sent += n
		if err != nil && !errors.Is(err, errUnwanted) {
			errs = append(errs, fmt.Errorf("<%s>: %w", to, err))
		}
	}
	return toOne(sent, errs)
}

// sendTo sends a report where it is wanted, and returns to how many it went.
func (r *dmarcReporter) sendTo(ctx context.Context, to smtp.Path, report *dmarcrpt.Report) (sent int, err error) {
	all, err := r.mayHave(ctx, report.Policy.Domain, to)
	if err != nil {
		return 0, err
	}
	for _, to := range all {
		var text bytes.Buffer
		letter := dmarcrpt.Letter{From: r.from.String(), To: to.String(), Submitter: r.hostname, Date: time.Now()}
		if err = report.WriteMail(&text, letter); err == nil {
			err = r.mail(ctx, to, &text)
		}
		if err != nil {
			return sent, err
		}
		sent++
	}
	return sent, nil
}

// receiver reads a URI of rua=. Others than of mail are passed over, and so is a limit of size
// behind one (RFC 9989, 4.7 and 4.8).
func receiver(uri string) (to smtp.Path, ok bool) {
	uri, _, _ = strings.Cut(uri, "!")
	u, err := url.Parse(strings.TrimSpace(uri))
	if err != nil || !strings.EqualFold(u.Scheme, "mailto") {
		return to, false
	}
	address, err := url.PathUnescape(u.Opaque)
	if err == nil {
		to, err = smtp.ParseMailbox(address)
	}
	return to, err == nil
}

// errUnwanted: a report is not for somebody, and never will be.
var errUnwanted = errors.New("the report is not wanted there")

// mayHave returns who may have the reports on a domain that wants them at an address: that one, if it is of
// the same organization or its domain asks for them, or those whom its domain names instead (RFC 9990,
// 4): else anybody could have mail sent to anybody.
func (r *dmarcReporter) mayHave(ctx context.Context, about string, to smtp.Path) ([]smtp.Path, error) {
	own, err := dns.ParseName(about)
	if err != nil {
		return nil, errUnwanted
	}
	at, err := dns.ParseName(to.Domain())
	if err != nil {
		return nil, errUnwanted
	}
	switch same, err := r.sameOrganization(ctx, own, at); {
	case err != nil:
		return nil, err
	case same:
		return []smtp.Path{to}, nil
	}
	name, err := at.Below(own.String() + "._report._dmarc")
	if err != nil {
		return nil, errUnwanted
	}
	answer, err := r.resolver.TXT(ctx, name)
	if err != nil && dns.Final(err) {
		return nil, errUnwanted
	}
	if err != nil {
		return nil, err
	}
	for _, txt := range answer.Records {
		if rec, ok := dmarc.ParseRecord(txt); ok {
			return instead(rec.Aggregate, to), nil
		}
	}
	return nil, errUnwanted
}

func (r *dmarcReporter) sameOrganization(ctx context.Context, a, b dns.Name) (bool, error) {
	resolver := authdns.Resolver{DNS: r.resolver}
	one, err := dmarc.Organization(ctx, resolver, a.String())
	if err != nil {
		return false, err
	}
	other, err := dmarc.Organization(ctx, resolver, b.String())
	return one == other, err
}

// instead are the addresses that a record names in place of another, at the same host; that one if it
// names none.
func instead(uris []string, of smtp.Path) (all []smtp.Path) {
	for _, uri := range uris[:min(len(uris), maxReceivers)] {
		if to, ok := receiver(uri); ok && strings.EqualFold(to.Domain(), of.Domain()) {
			all = append(all, to)
		}
	}
	if len(all) == 0 {
		all = append(all, of)
	}
	return all
}

func (r *dmarcReporter) make(day *spool.Day[dmarctally.Count]) *dmarcrpt.Report {
	c := &day.Value
	report := &dmarcrpt.Report{
		Version: "1.0",
		Metadata: dmarcrpt.Metadata{
			Organization: r.hostname, Email: r.from.String(), ID: r.id("dmarc", day.Name, day.Begin), Generator: "Posthouse",
			Begin: dmarcrpt.Seconds(day.Begin.Unix()), End: dmarcrpt.Seconds(day.Begin.Add(24*time.Hour - time.Second).Unix()),
		},
		Policy: c.Policy, Records: c.Records,
	}
	if c.More > 0 {
		report.Metadata.Errors = []string{fmt.Sprintf("%d messages more are in no record", c.More)}
	}
	return report
}
