package remote

import (
	"context"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// converse sends the message over a connection, in as many transactions as it
// takes, until every recipient is decided or left to the next host; or the
// connection is at its end.
func (a *attempt) converse(ctx context.Context, l *link) next {
	aside := map[int]bool{}
	for {
		batch := a.batch(aside)
		if len(batch) == 0 {
			a.t.rest(l)
			return nextHost
		}
		a.goesBy(l.trace)
		res, err := l.Send(ctx, a.envelope(batch), bodyOf(a.d.Content))
		if (l.used > 0 && gone(res, err) || err != nil && sabotage.Is("what was cut is sent again at once")) && ctx.Err() == nil {
			a.t.kept.retire(l)
			return freshStart
		}
		if a.sessionFull(l, res) {
			a.t.kept.retire(l)
			return freshStart
		}
		l.used++
		broke := a.record(ctx, l, batch, res, aside)
		if l.Err() != nil || l.Full() {
			a.t.kept.retire(l)
			return a.afterEnd(broke, aside)
		}
	}
}

// goesBy tells that the message is what a connection is for.
func (a *attempt) goesBy(t *smtpclient.Trace) {
	if a.t.Carries != nil && t != nil {
		a.t.Carries(t, a.d.Envelope.ID)
	}
}

// bodyOf is a content as it is sent: from where it lies, if it is in memory.
func bodyOf(c mail.Content) smtpclient.Body {
	if m, is := c.(mail.InMemory); is {
		return smtpclient.Bytes(m.Octets())
	}
	return c
}

// afterEnd says where to go when a connection is at its end.
func (a *attempt) afterEnd(broke bool, aside map[int]bool) next {
	switch {
	case len(a.batch(aside)) > 0:
		return sameAddr
	case broke:
		return nextAddr
	}
	return nextHost
}

// batch returns the recipients of the next transaction.
func (a *attempt) batch(aside map[int]bool) []int {
	most := orElse(a.t.MaxRecipients, 100)
	var batch []int
	for _, i := range a.sheet.Open() {
		if len(batch) < most && !aside[i] {
			batch = append(batch, i)
		}
	}
	return batch
}

// gone reports whether a connection had ended before the host took up the message:
// it was closed since the one before, or the host says 421 now.
func gone(res *smtpclient.Result, err error) bool {
	return err != nil && (res.Mail == nil || res.Mail.Code == smtp.CodeUnavailable)
}

// sessionFull reports whether nobody got the message because the host takes no
// more recipient domains in one session (RCPTDOMAINMAX of RFC 9422), and there
// was a message before this one.
func (a *attempt) sessionFull(l *link, res *smtpclient.Result) bool {
	for i := range res.Recipients {
		if o := &res.Recipients[i]; !o.Local || !transport.TooMany(o) {
			return false
		}
	}
	return l.used > 0
}

// rest keeps a connection for the next message, or ends it.
func (t *Transport) rest(l *link) {
	if l.used >= orElse(t.MaxMessages, 100) || l.Full() || l.Err() != nil {
		t.kept.retire(l)
		return
	}
	t.kept.keep(l, t.idleTime())
}

// envelope makes the envelope of a transaction.
func (a *attempt) envelope(batch []int) smtpclient.Envelope {
	e := a.d.Envelope
	env := smtpclient.Envelope{From: e.From, Mail: smtp.MailParams{
		Body: e.Body, UTF8: e.UTF8, RequireTLS: e.RequireTLS, Return: e.Return, EnvID: e.EnvID, Priority: e.Priority,
	}}
	if e.ByMode != smtp.ByNone && !e.By.IsZero() {
		env.Mail.By = smtp.DeliverBy{Within: within(e), Mode: e.ByMode, Trace: e.ByTrace}
	}
	for _, i := range batch {
		r := &e.To[a.d.Recipients[i]]
		env.To = append(env.To, smtpclient.Recipient{Path: r.To, Params: smtp.RcptParams{Notify: r.Notify, ORcpt: r.ORcpt}})
	}
	return env
}

// record gives the recipients of a transaction their outcomes. Those who are left
// to the next host are put aside; those who were too many stay open. It returns
// whether somebody was put aside because the connection broke.
func (a *attempt) record(ctx context.Context, l *link, batch []int, res *smtpclient.Result, aside map[int]bool) (broke bool) {
	begun := false
	for i := range res.Recipients {
		begun = begun || res.Recipients[i].Rcpt != nil && res.Recipients[i].Rcpt.Code.Positive()
	}
	for i, position := range batch {
		o := &res.Recipients[i]
		out := a.outcome(ctx, l, res, o)
		switch {
		case begun && transport.TooMany(o):
		case movesOn(o, &out):
			aside[position] = true
			broke = broke || l.Err() != nil
			a.putAside(position, out, a.note(l.key.host, l.addr, out.Reply.Error()))
		default:
			a.decide(position, out, everything)
		}
		a.learn(l, &out)
	}
	return broke
}

// outcome classifies what became of a recipient, and tells where.
func (a *attempt) outcome(ctx context.Context, l *link, res *smtpclient.Result, o *smtpclient.Outcome) mail.Outcome {
	out := transport.Classify(ctx, o, mail.Relayed)
	out.Host, out.Addr, out.TLS = l.key.host, l.addr.String(), tlsWords(l)
	if out.Fate == mail.Relayed {
		out.Forwarded = l.Extensions().Has(smtp.ExtDSN)
		out.Encoded = res.Encoded
	}
	return out
}

// learn remembers whether a host is any good.
func (a *attempt) learn(l *link, o *mail.Outcome) {
	switch {
	case o.HostDown:
		a.t.bad.add(l.addr)
	case !o.Local:
		a.t.bad.forget(l.addr)
	}
}

// movesOn reports whether another host may take what this one did not.
func movesOn(o *smtpclient.Outcome, out *mail.Outcome) bool {
	switch {
	case out.Fate == mail.Relayed || out.Unsure || out.OurLimit:
		return false
	case o.Reply == nil || o.Reply.Code == smtp.CodeUnavailable:
		return true
	case o.Local:
		// It lacks something; if it is not the text that is at fault.
		return o.Reply.Code.Permanent() && o.Reply.Enhanced != smtp.EnhancedCode{5, 6, 0}
	}
	return o.Stage == smtp.VerbMAIL && out.Fate == mail.Deferred
}
