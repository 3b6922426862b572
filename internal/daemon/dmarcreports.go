package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/dmarcrpt"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/dmarctally"
	"github.com/posthouse/posthouse/internal/policy/sender"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dmarc"
	"github.com/posthouse/posthouse/smtp"
)

// dmarcReporter sends reports on DMARC to domains that want them (RFC 9990).
type dmarcReporter struct {
	tally    *dmarctally.Tally
	resolver dns.Resolver
	from     smtp.Path
	hostname string
	seed     uint64
	submit   func(context.Context, intake.Submission) (intake.Submitted, error)
	log      *slog.Logger
}

// found is what counts for the reports; nil if nobody gets any.
func (b *builder) found() func(context.Context, *sender.Finding) {
	if b.cfg.Policy.ReportFrom.Value.IsNull() {
		return nil
	}
	b.dmarc = &dmarctally.Tally{States: b.states}
	return func(ctx context.Context, f *sender.Finding) {
		if r := f.DMARC.Record; r != nil && len(r.Aggregate) > 0 {
			b.dmarc.Note(ctx, f.At, publishedOf(&f.DMARC), r.Aggregate, recordOf(f))
		}
	}
}

// dmarcReporter makes one; nil if the configuration wants none.
func (b *builder) dmarcReporter(in *intake.Desk) *dmarcReporter {
	if b.dmarc == nil {
		return nil
	}
	return &dmarcReporter{
		tally: b.dmarc, resolver: b.dns, from: b.cfg.Policy.ReportFrom.Value, hostname: b.cfg.Hostname.Value,
		seed: b.world.Seed, submit: in.Submit, log: b.world.Log,
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
			Source: f.Client.String(), Count: 1, Disposition: dispositionOf(f.Applied), DKIM: "fail",
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
		scope := "mfrom"
		if f.SPF.FromHelo {
			scope = "helo"
		}
		r.Results.SPF = []dmarcrpt.Sender{{Domain: f.SPF.Domain, Scope: scope, Result: string(f.SPF.Verdict)}}
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

func dispositionOf(a policy.Action) string {
	switch a {
	case policy.Quarantine:
		return "quarantine"
	case policy.Reject:
		return "reject"
	}
	return "none"
}

// sendDue sends the reports whose time has come. One that could not be sent is tried
// again later, and given up when its count expires.
func (r *dmarcReporter) sendDue(ctx context.Context, now time.Time) {
	counts, err := r.tally.Before(ctx, now)
	if err != nil {
		r.log.Warn("reports on DMARC cannot be made", "err", err)
	}
	for i := range counts {
		c := &counts[i]
		if ctx.Err() != nil || now.Before(r.due(c)) {
			continue
		}
		err := r.send(ctx, c)
		if err == nil {
			err = r.tally.Done(ctx, c)
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("a report on DMARC could not be sent", "domain", c.Domain, "day", c.Day.Format(time.DateOnly), "err", err)
		}
	}
}

// due is when a report is sent: some time in the four hours after its day, so that not
// all the world sends at midnight.
func (r *dmarcReporter) due(c *dmarctally.Count) time.Time {
	sum := sha256.Sum256(fmt.Appendf(nil, "dmarc %d %s", r.seed, c.Domain))
	return c.Day.Add(24*time.Hour + time.Duration(binary.BigEndian.Uint32(sum[:])%(4*3600))*time.Second)
}

// maxReceivers is to how many a domain may have its report sent (RFC 9990, 3.5.1: two at
// least).
const maxReceivers = 5

// send sends a report to all who want it and may have it. It is nil if one of them has it, or
// there is nobody.
func (r *dmarcReporter) send(ctx context.Context, c *dmarctally.Count) error {
	report := r.make(c)
	var errs []error
	sent := 0
	for _, uri := range c.To[:min(len(c.To), maxReceivers)] {
		to, most, ok := receiver(uri)
		if !ok {
			continue
		}
		err := r.mayHave(ctx, c.Domain, to.Domain())
		if err == nil {
			err = r.mail(ctx, to, most, report)
		}
		switch {
		case err == nil:
			sent++
		case !errors.Is(err, errUnwanted):
			errs = append(errs, fmt.Errorf("<%s>: %w", to, err))
		}
	}
	if sent > 0 {
		return nil
	}
	return errors.Join(errs...)
}

// receiver reads a URI of rua=: an address, and how many octets it takes at most (RFC 7489, 6.4;
// 0: any number). Others than of mail are passed over (RFC 9990).
func receiver(uri string) (to smtp.Path, most int64, ok bool) {
	uri, size, limited := strings.Cut(uri, "!")
	u, err := url.Parse(strings.TrimSpace(uri))
	if err != nil || !strings.EqualFold(u.Scheme, "mailto") {
		return to, 0, false
	}
	address, err := url.PathUnescape(u.Opaque)
	if err == nil {
		to, err = smtp.ParseMailbox(address)
	}
	if err != nil {
		return to, 0, false
	}
	if limited {
		most = octets(size)
	}
	return to, most, true
}

// octets reads "10m"; what makes no sense is no limit.
func octets(size string) int64 {
	unit := int64(1)
	if n := len(size); n > 0 {
		if shift := strings.IndexByte("kmgt", size[n-1]|0x20); shift >= 0 {
			unit, size = 1<<(10*(shift+1)), size[:n-1]
		}
	}
	n, err := strconv.ParseUint(size, 10, 20)
	if err != nil {
		return 0
	}
	return int64(n) * unit
}

// errUnwanted: a report is not for somebody, and never will be.
var errUnwanted = errors.New("the report is not wanted there")

// mayHave reports whether a domain may have the reports of another sent to it: its own, those within
// the same organization, and those that it asks for (RFC 9990, 4): else anybody could have mail
// sent to anybody.
func (r *dmarcReporter) mayHave(ctx context.Context, about, at string) error {
	own, err := dns.ParseName(about)
	if err != nil {
		return errUnwanted
	}
	other, err := dns.ParseName(at)
	if err != nil {
		return errUnwanted
	}
	if other.Within(own) {
		return nil
	}
	name, err := other.Below(own.String() + "._report._dmarc")
	if err != nil {
		return errUnwanted
	}
	answer, err := r.resolver.TXT(ctx, name)
	switch {
	case err != nil && dns.Final(err):
		return errUnwanted
	case err != nil:
		return err
	}
	for _, txt := range answer.Records {
		tags, err := senderauth.ParseTagList(txt)
		if v, _ := tags.Get("v"); err == nil && v == "DMARC1" {
			return nil
		}
	}
	return errUnwanted
}

// make makes the report. That of one day and domain always has the same ID.
func (r *dmarcReporter) make(c *dmarctally.Count) *dmarcrpt.Report {
	sum := sha256.Sum256(fmt.Appendf(nil, "dmarc %s %s %s", r.hostname, c.Domain, c.Day.Format(time.DateOnly)))
	report := &dmarcrpt.Report{
		Version: "1.0",
		Metadata: dmarcrpt.Metadata{
			Organization: r.hostname, Email: r.from.String(), ID: fmt.Sprintf("%x", sum[:12]), Generator: "Posthouse",
			Begin: dmarcrpt.Seconds(c.Day.Unix()), End: dmarcrpt.Seconds(c.Day.Add(24*time.Hour - time.Second).Unix()),
		},
		Policy: c.Policy, Records: c.Records,
	}
	if c.More > 0 {
		report.Metadata.Errors = []string{fmt.Sprintf("%d messages more are in no record", c.More)}
	}
	return report
}

// mail submits a report; nobody is told if it cannot be delivered.
func (r *dmarcReporter) mail(ctx context.Context, to smtp.Path, most int64, report *dmarcrpt.Report) error {
	var text bytes.Buffer
	letter := dmarcrpt.Letter{From: r.from.String(), To: to.String(), Submitter: r.hostname, Date: time.Now()}
	if err := report.WriteMail(&text, letter); err != nil {
		return err
	}
	if most > 0 && int64(text.Len()) > most {
		return errUnwanted
	}
	_, err := r.submit(ctx, intake.Submission{
		Source: mail.Source{Listener: mail.FromReport}, From: r.from, Text: &text,
		To: []smtp.Rcpt{{To: to, Params: smtp.RcptParams{Notify: smtp.NotifyNever}}},
	})
	return err
}
