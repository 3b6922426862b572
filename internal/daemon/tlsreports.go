package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/tlspolicy/tally"
	"github.com/posthouse/posthouse/internal/tlsrpt"
	"github.com/posthouse/posthouse/smtp"
)

// tlsReporter sends reports on TLS to domains that want them (RFC 8460).
type tlsReporter struct {
	tally    *tally.Tally
	resolver dns.Resolver
	web      *publicweb.Client
	from     smtp.Path
	contact  string
	hostname string
	seed     uint64
	submit   func(context.Context, intake.Submission) (intake.Submitted, error)
	log      *slog.Logger
}

// reporter makes one; nil if the configuration wants none.
func (b *builder) reporter(in *intake.Desk) *tlsReporter {
	s := &b.cfg.Security
	if b.tally == nil {
		return nil
	}
	r := &tlsReporter{
		tally: b.tally, resolver: b.dns, web: b.web(b.dns), from: s.ReportFrom.Value, contact: s.ReportContact.Value,
		hostname: b.cfg.Hostname.Value, seed: b.world.Seed, submit: in.Submit, log: b.world.Log,
	}
	if r.contact == "" {
		r.contact = r.from.String()
	}
	return r
}

// reportEvery is how often it is looked whether a report is due.
const reportEvery = time.Hour

// report sends reports until it is told to stop.
func (h *House) report(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			tls, dmarc := h.reporters(ctx)
			if tls != nil {
				tls.sendDue(ctx, time.Now())
			}
			if dmarc != nil {
				dmarc.sendDue(ctx, time.Now())
			}
		}
	}()
	return func() {
		cancel()
		<-over
	}
}

// reporters are those of the rooms that hold, nil where there are none.
func (h *House) reporters(ctx context.Context) (*tlsReporter, *dmarcReporter) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
		return h.rooms.reporter, h.rooms.dmarc
	case <-ctx.Done():
		return nil, nil
	}
}

// sendDue sends the reports whose time has come. One that could not be sent is tried
// again later, and given up when its count expires.
func (r *tlsReporter) sendDue(ctx context.Context, now time.Time) {
	counts, err := r.tally.Before(ctx, now)
	if err != nil {
		r.log.Warn("reports on TLS cannot be made", "err", err)
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
			r.log.Warn("a report on TLS could not be sent", "domain", c.Domain, "day", c.Day.Format(time.DateOnly), "err", err)
		}
	}
}

// due is when a report is sent: some time in the four hours after its day, so that not
// all the world sends at midnight (RFC 8460, 4.1).
func (r *tlsReporter) due(c *tally.Count) time.Time {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", r.seed, c.Domain))
	return c.Day.Add(24*time.Hour + time.Duration(binary.BigEndian.Uint32(sum[:])%(4*3600))*time.Second)
}

// send sends a report to all who want it. It is nil if one of them has it, or nobody wants it.
func (r *tlsReporter) send(ctx context.Context, c *tally.Count) error {
	to, err := r.wanted(ctx, c.Domain)
	if err != nil || len(to) == 0 {
		return err
	}
	report := r.make(c)
	var errs []error
	for _, uri := range to {
		if err := r.sendTo(ctx, uri, c.Domain, report); err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", uri, err))
		}
	}
	if len(errs) < len(to) {
		return nil
	}
	return errors.Join(errs...)
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

// make makes the report. That of one day and domain always has the same ID.
func (r *tlsReporter) make(c *tally.Count) *tlsrpt.Report {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s", r.hostname, c.Domain, c.Day.Format(time.DateOnly)))
	return &tlsrpt.Report{
		Organization: r.hostname, Contact: r.contact, ID: fmt.Sprintf("%x", sum[:12]), Policies: c.Policies,
		Range: tlsrpt.DateRange{Start: c.Day, End: c.Day.Add(24*time.Hour - time.Second)},
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
	return r.mail(ctx, path, domain, report)
}

// mail submits a report; nobody is told if it cannot be delivered.
func (r *tlsReporter) mail(ctx context.Context, to smtp.Path, domain string, report *tlsrpt.Report) error {
	var text bytes.Buffer
	letter := tlsrpt.Letter{From: r.from.String(), To: to.String(), Submitter: r.hostname, Domain: domain, Date: time.Now()}
	if err := report.WriteMail(&text, letter); err != nil {
		return err
	}
	_, err := r.submit(ctx, intake.Submission{
		Source: mail.Source{Listener: mail.FromReport}, From: r.from, Text: &text,
		To: []smtp.Rcpt{{To: to, Params: smtp.RcptParams{Notify: smtp.NotifyNever}}},
	})
	return err
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
