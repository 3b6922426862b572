package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy/dmarctally"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/tlspolicy/tally"
	"github.com/posthouse/posthouse/smtp"
)

// reporter sends the reports on a subject that are due.
type reporter interface {
	sendDue(ctx context.Context, now time.Time)
}

// daily sends a report for each day and name of which something was gathered.
type daily[T any] struct {
	subject string // of the log
	days    *spool.Daily[T]
	seed    uint64
	log     *slog.Logger
	// send sends one to all who want it. It is nil if one of them has it, or nobody wants it.
	send func(context.Context, *spool.Day[T]) error
}

// sendDue implements reporter. What could not be sent is tried again later, until it expires.
func (d *daily[T]) sendDue(ctx context.Context, now time.Time) {
	days, err := d.days.Before(ctx, now)
	if err != nil {
		d.log.Warn("reports on "+d.subject+" cannot be made", "err", err)
	}
	for i := range days {
		day := &days[i]
		if ctx.Err() != nil || now.Before(d.due(day)) {
			continue
		}
		err := d.send(ctx, day)
		if err == nil {
			err = d.days.Done(ctx, day)
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("a report on "+d.subject+" could not be sent", "domain", day.Name, "day", day.Begin.Format(time.DateOnly), "err", err)
		}
	}
}

// due is some time in the four hours after the day, so that not all the world sends at midnight
// (RFC 8460, 4.1).
func (d *daily[T]) due(day *spool.Day[T]) time.Time {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", d.subject, d.seed, day.Name))
	return day.Begin.Add(24*time.Hour + time.Duration(binary.BigEndian.Uint32(sum[:])%(4*3600))*time.Second)
}

// reporting is whose name reports bear, and how they leave.
type reporting struct {
	from     smtp.Path
	hostname string
	submit   func(context.Context, intake.Submission) (intake.Submitted, error)
}

// id names a report: that of one subject, name and day is always the same.
func (r *reporting) id(subject, name string, begin time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %s", subject, r.hostname, name, begin.Format(time.DateOnly)))
	return fmt.Sprintf("%x", sum[:12])
}

// mail submits a report; nobody is told if it cannot be delivered.
func (r *reporting) mail(ctx context.Context, to smtp.Path, text *bytes.Buffer) error {
	_, err := r.submit(ctx, intake.Submission{
		Source: mail.Source{Listener: mail.FromReport}, From: r.from, Text: text,
		To: []smtp.Rcpt{{To: to, Params: smtp.RcptParams{Notify: smtp.NotifyNever}}},
	})
	return err
}

// toOne is what comes of sending to several: nil if one of them has it, or there was nobody.
func toOne(sent int, errs []error) error {
	if sent > 0 {
		return nil
	}
	return errors.Join(errs...)
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
			for _, r := range h.reporters(ctx) {
				r.sendDue(ctx, time.Now())
			}
		}
	}()
	return func() {
		cancel()
		<-over
	}
}

// reporters are those of the rooms that hold.
func (h *House) reporters(ctx context.Context) []reporter {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
		return h.rooms.reporters
	case <-ctx.Done():
		return nil
	}
}

// buildReporters makes those that the configuration wants.
func (b *builder) buildReporters(r *rooms, in *intake.Desk) {
	with := func(from smtp.Path) reporting {
		return reporting{from: from, hostname: b.cfg.Hostname.Value, submit: in.Submit}
	}
	if b.tally != nil {
		t := &tlsReporter{reporting: with(b.cfg.Security.ReportFrom.Value), resolver: b.dns, web: b.web(b.dns), contact: b.cfg.Security.ReportContact.Value}
		r.reporters = append(r.reporters, &daily[tally.Count]{subject: "TLS", days: &b.tally.Daily, seed: b.world.Seed, log: b.world.Log, send: t.send})
	}
	if b.dmarc != nil {
		d := &dmarcReporter{reporting: with(b.cfg.Policy.ReportFrom.Value), resolver: b.dns}
		r.reporters = append(r.reporters, &daily[dmarctally.Count]{subject: "DMARC", days: &b.dmarc.Daily, seed: b.world.Seed, log: b.world.Log, send: d.send})
	}
}
