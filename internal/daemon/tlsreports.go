package daemon

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/tlspolicy/tally"
	"github.com/posthouse/posthouse/internal/tlsrpt"
	"github.com/posthouse/posthouse/smtp"
)

// tlsReporter sends reports on TLS to domains that want them (RFC 8460).
type tlsReporter struct {
	reporting
	resolver dns.Resolver
	web      *publicweb.Client
	contact  string // default: from
}

// send sends a report to all who want it.
func (r *tlsReporter) send(ctx context.Context, day *spool.Day[tally.Count]) error {
	to, err := r.wanted(ctx, day.Name)
	if err != nil || len(to) == 0 {
		return err
	}
	report := r.make(day)
	var errs []error
	for _, uri := range to {
		if err := r.sendTo(ctx, uri, day.Name, report); err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", uri, err))
		}
	}
	return toOne(len(to)-len(errs), errs)
}

// wanted returns where a domain wants its reports.
func (r *tlsReporter) wanted(ctx context.Context, domain string) ([]string, error) {
	name, err := dns.ParseName(domain)
	if err == nil {
		name, err = name.Below("_smtp._tls")
	}
	if err != nil {
		return nil, nil // a domain of such a name cannot say anything
	}
	a, err := r.resolver.TXT(ctx, name)
	if err != nil && dns.Final(err) {
		return nil, nil
	}
	return tlsrpt.ParseRecord(a.Records), err
}

func (r *tlsReporter) make(day *spool.Day[tally.Count]) *tlsrpt.Report {
	return &tlsrpt.Report{
		Organization: r.hostname, Contact: cmp.Or(r.contact, r.from.String()), ID: r.id("tls", day.Name, day.Begin), Policies: day.Value,
		Range: tlsrpt.DateRange{Start: day.Begin, End: day.Begin.Add(24*time.Hour - time.Second)},
	}
}

func (r *tlsReporter) sendTo(ctx context.Context, uri, domain string, report *tlsrpt.Report) error {
	u, err := url.Parse(uri)
	if err != nil {
		return err
	}
	if u.Scheme == "https" {
		return r.post(ctx, u, report)
	}
	to, err := url.PathUnescape(u.Opaque)
	if err != nil {
		return err
	}
	path, err := smtp.ParseMailbox(to)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	letter := tlsrpt.Letter{From: r.from.String(), To: path.String(), Submitter: r.hostname, Domain: domain, Date: time.Now()}
	if err := report.WriteMail(&text, letter); err != nil {
		return err
	}
	return r.mail(ctx, path, &text)
}

// post brings a report to a web server (RFC 8460, 5.4).
func (r *tlsReporter) post(ctx context.Context, to *url.URL, report *tlsrpt.Report) error {
	var body bytes.Buffer
	if err := report.Write(&body); err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), &body)
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/tlsrpt+gzip")
	return r.web.Do(ctx, q, publicweb.Status)
}
