package house

import (
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// outcome takes what became of a recipient.
func (a *Account) outcome(c *custody, at time.Time, t *event.Attempt) {
	o := &t.Outcome
	ch := &c.to[o.Recipient]
	if !ch.open() {
		a.complain("%s tells of %s to %s that it is %s, and it was %s", c.host, c.id, ch.address, o.Fate, ch.fate)
	}
	ch.fate, ch.at, ch.sure = o.Fate, at, o.Forwarded
	if o.Unsure {
		ch.unsure++
	}
	switch o.Fate {
	case mail.Delivered, mail.Relayed:
		if len(ch.handed) == 0 {
			a.complain("%s says that %s to %s is %s, and nobody has it", c.host, c.id, ch.address, o.Fate)
		}
	case mail.Failed, mail.Expired:
		if len(ch.handed) > 0 && ch.unsure+ch.excuses == 0 && len(ch.crashes) == 0 {
			a.complain("%s says that %s to %s has %s, and %s has it", c.host, c.id, ch.address, o.Fate, ch.handed[0].to)
		}
	}
	if got, want := t.Owed, owes(a.ledger.wish(c.key, ch.address), c.from, o); o.Fate.Final() && got != want {
		a.complain("%s owes %q for %s to %s that is %s, and RFC 3461 says %q", c.host, got, c.id, ch.address, o.Fate, want)
	}
	a.inSpoolNow(c, o.Recipient)
}

// owes is what RFC 3461, 5.2 has a sender told of a fate, delays aside.
func owes(wish smtp.Notify, from string, o *mail.Outcome) mail.Action {
	asked := func(n smtp.Notify) bool { return from != "" && wish&smtp.NotifyNever == 0 && wish&n != 0 }
	if wish == 0 {
		wish = smtp.NotifyFailure
	}
	switch {
	case (o.Fate == mail.Failed || o.Fate == mail.Expired) && asked(smtp.NotifyFailure):
		return mail.ReportFailed
	case o.Fate == mail.Relayed && !o.Forwarded && asked(smtp.NotifySuccess):
		return mail.ReportRelayed
	case o.Fate == mail.Delivered && asked(smtp.NotifySuccess):
		return mail.ReportDelivered
	}
	return 0
}

// reported takes that a report was written.
func (a *Account) reported(c *custody, t *event.Reported) {
	if t.Report.IsZero() {
		return
	}
	if to := t.To.String(); c.from != "" && to != c.from && to != "postmaster@peer0.test" {
		a.complain("%s reports about %s to %s, and it came from %s", c.host, c.id, to, c.from)
	}
	for _, i := range t.Recipients {
		ch := &c.to[i]
		action := a.owed(c, ch)
		switch {
		case c.from == "":
			action = mail.ReportFailed // to the postmaster, of a report
		case ch.open():
			action = mail.ReportDelayed
		}
		ch.reports[action]++
	}
}

// owed is what the sender is to hear of a recipient, now that its fate is known.
func (a *Account) owed(c *custody, ch *charge) mail.Action {
	return owes(a.ledger.wish(c.key, ch.address), c.from, &mail.Outcome{Fate: ch.fate, Forwarded: ch.sure})
}
