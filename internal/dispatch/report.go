package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// owesReport reports whether something is to be sent because of a record. What
// cannot be delivered and has nobody to hear of it is told to the journal.
func (l *loop) owesReport(r *record) bool {
	for i := range r.changes {
		if r.changes[i].Report != 0 && !sabotage.Is("no report is sent") {
			return true
		}
	}
	if !bounced(r) {
		return false
	}
	if l.doubleBounceTo(r.letter.env) {
		return true
	}
	r.tell(event.Entry{ID: r.ID, At: time.Now(), Event: &event.Reported{
		Action: mail.ReportFailed, Recipients: listed(r.indices()), Dropped: "it is a report itself",
	}})
	return false
}

// bounced: a report of ours could not be delivered.
func bounced(r *record) bool {
	if !r.letter.env.From.IsNull() || r.letter.env.Source.Listener != mail.FromReport {
		return false
	}
	for i := range r.changes {
		if f := r.changes[i].Fate; f == mail.Failed || f == mail.Expired {
			return true
		}
	}
	return false
}

// doubleBounceTo: there is somebody who gets reports that could not be
// delivered, and this one was not for him.
func (l *loop) doubleBounceTo(e *mail.Envelope) bool {
	for i := range e.To {
		if e.To[i].Original.Equal(l.DoubleBounces) || e.To[i].To.Equal(l.DoubleBounces) {
			return false
		}
	}
	return !l.DoubleBounces.IsNull()
}

// report has the report of a record written, and then the record settled.
func (l *loop) report(r *record) {
	report := l.compose(r)
	text, about, postmaster := r.letter.text, r.ID, l.DoubleBounces
	l.aside(func() func(*loop) {
		draft, commit, err := l.prepare(report, text, about)
		if refused(err) && !postmaster.IsNull() && !postmaster.Equal(report.To) {
			report.To = postmaster // nobody else can hear of it
			draft, commit, err = l.prepare(report, text, about)
		}
		switch {
		case refused(err):
			return func(l *loop) { l.silent(r, report, err) }
		case err != nil:
			return func(l *loop) { l.stick(r, err) }
		}
		commit.For = r.owner
		if r.alone {
			lease, err := draft.Commit(context.Background(), commit)
			return func(l *loop) { l.sent(r, report, draft.ID(), commit.Facts, lease, err) }
		}
		return func(l *loop) {
			r.Reports = []spool.Report{{Draft: draft, Commit: commit, Recipients: r.owed()}}
			r.tell(r.reported(report, draft.ID()))
			l.settle(r)
		}
	})
}

// refused: whoever is to have a report gets no mail here, and never will.
func refused(err error) bool {
	var reply *smtp.Reply
	return errors.As(err, &reply) && reply.Code.Permanent()
}

// silent settles a record whose report nobody can have.
func (l *loop) silent(r *record, report *dsn.Report, why error) {
	e := event.Entry{ID: r.ID, At: report.Date, Event: &event.Reported{
		To: report.To, Action: gravest(report), Recipients: listed(r.owed()), Dropped: transport.Line(why.Error()),
	}}
	if r.alone {
		l.note(e)
		return
	}
	r.tell(e)
	l.settle(r)
}

// sent takes what became of a report that was committed alone.
func (l *loop) sent(r *record, report *dsn.Report, id mail.ID, facts []spool.Fact, lease *spool.Lease, err error) {
	if err != nil {
		l.stick(r, err)
		return
	}
	l.observeArrival(facts)
	l.note(r.reported(report, id))
	l.arrive(Arrival{Owner: r.owner, Lease: lease})
}

// reported tells that a report is on its way.
func (r *record) reported(report *dsn.Report, id mail.ID) event.Entry {
	return event.Entry{ID: r.ID, At: report.Date, Event: &event.Reported{
		Report: id, To: report.To, Action: gravest(report), Recipients: listed(r.owed()),
	}}
}

// compose says what a record has to report.
func (l *loop) compose(r *record) *dsn.Report {
	e := r.letter.env
	report := &dsn.Report{
		MTA: l.MTA, From: l.Mailer, To: e.From, Date: time.Now(), Through: e.ID.String(),
		EnvID: e.EnvID, Return: e.Return, UTF8: e.UTF8, RequireTLS: e.RequireTLS, Arrived: e.Arrived, Client: clientName(e),
		Subject: e.Subject, MessageID: e.MessageID,
	}
	if sabotage.Is("a report goes to the recipient") {
		report.To = e.To[0].To
	}
	double := e.From.IsNull()
	if double {
		report.To = l.DoubleBounces
	}
	for i := range r.changes {
		c := &r.changes[i]
		action := c.Report
		if double && (c.Fate == mail.Failed || c.Fate == mail.Expired) {
			action = mail.ReportFailed
		}
		if action != 0 {
			to := dsn.NewRecipient(e.To[c.Recipient], c.Outcome, action)
			if action == mail.ReportDelayed {
				to.Until = l.expires(e, c)
			}
			report.Recipients = append(report.Recipients, to)
		}
	}
	return report
}

// clientName is the domain name that a client gave; "" if it gave an address.
func clientName(e *mail.Envelope) string {
	if name, err := smtp.ParseDomain(e.Source.Hello); err == nil {
		return name
	}
	return ""
}

// expires is when a message is given up.
func (l *loop) expires(e *mail.Envelope, c *queue.Change) time.Time {
	after := l.Queue.Default.Expire
	if r, is := l.Queue.Routes[c.Hop.Route]; is {
		after = r.Expire
	}
	if after <= 0 {
		after = defaultExpire
	}
	at := maxTime(e.Arrived, e.HoldUntil).Add(after)
	if e.ByMode == smtp.ByReturn && e.By.Before(at) {
		return e.By
	}
	return at
}

// defaultExpire is that of queue.Route.
const defaultExpire = 5 * 24 * time.Hour

// prepare makes the draft of a report. It runs beside the loop.
func (l *loop) prepare(report *dsn.Report, kept text, about mail.ID) (spool.Draft, spool.Commit, error) {
	ctx := context.Background()
	if kept != nil {
		return l.opts.Prepare(ctx, report, kept)
	}
	original, err := l.opts.Spool.Open(ctx, about)
	if err != nil && !errors.Is(err, spool.ErrNotFound) && !errors.Is(err, spool.ErrDamaged) {
		return nil, spool.Commit{}, err
	}
	return l.opts.Prepare(ctx, report, original)
}

// owed are the recipients whom the report of a record tells of.
func (r *record) owed() []int {
	var all []int
	for i := range r.changes {
		c := &r.changes[i]
		if c.Report != 0 || r.letter.env.From.IsNull() && (c.Fate == mail.Failed || c.Fate == mail.Expired) {
			all = append(all, c.Recipient)
		}
	}
	return all
}

func gravest(report *dsn.Report) mail.Action {
	var worst mail.Action
	for i := range report.Recipients {
		if a := report.Recipients[i].Action; worst == 0 || a < worst {
			worst = a
		}
	}
	return worst
}

// listed bounds what an event lists.
func listed(all []int) []int { return all[:min(len(all), 1000)] }

// stick keeps a record whose report could not be written, for another try: what
// it tells of is not settled without it.
func (l *loop) stick(r *record, err error) {
	if fatal(err) {
		l.fail(err)
		return
	}
	if !r.alone && r.owner != l.has {
		l.unrecorded(r)
		return
	}
	l.opts.Log.Warn("no report could be written; trying again", "id", r.ID, "error", err)
	r.again = time.Now().Add(10 * again)
	l.stuck = append(l.stuck, r)
}

// unstick tries again to write reports whose time has come.
func (l *loop) unstick(now time.Time) {
	for len(l.stuck) > 0 && !now.Before(l.stuck[0].again) {
		r := l.stuck[0]
		l.stuck = l.stuck[1:]
		l.report(r)
	}
}
