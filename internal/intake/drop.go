package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// DropExpires is how long a letter waits in the drop directory for recipients of
// whom nothing could be found out, before they are given up.
const DropExpires = 5 * 24 * time.Hour

// Drop takes in what programs have left in a drop directory. Nobody is there any more to
// hear of a refusal, so the sender gets a report of it.
type Drop struct {
	Desk *Desk
	// MessageSize is how many octets a text may have; 0: no limit.
	MessageSize int64
}

// Take is for maildrop.Sweeper.Submit. A letter is taken for all of its recipients or for
// none of them: while one cannot be decided, all wait. Errors are
// [maildrop.ErrUnwelcome] for one that nobody gets and whose sender cannot be told,
// that of the text, and of what may be better later.
func (p *Drop) Take(ctx context.Context, l *maildrop.Letter) error {
	o := p.Desk.opts.Load()
	t := &transaction{
		desk: p.Desk, o: o, params: l.Params, relay: true, inside: true, again: l.Again,
		visit: &policy.Visit{Source: mail.Source{Listener: FromSendmail, Login: l.Login}, From: l.From},
	}
	if err := t.begin(ctx); err != nil {
		return o.refuse(t.visit, smtp.VerbMAIL, smtp.Path{}, err)
	}
	defer t.Abort()
	refused, err := p.recipients(ctx, t, l)
	if err != nil {
		return err
	}
	// The report is there before the letter is taken: what is left to go wrong
	// between the two is a failing disk.
	report, err := p.report(ctx, l, refused)
	if err != nil {
		return err
	}
	defer func() { report.abort() }()
	if len(t.to) > 0 {
		reply, err := t.text(ctx, l)
		if err != nil {
			return err
		}
		if reply != nil {
			report.abort()
			if report, err = p.report(ctx, l, refuseAll(l, reply)); err != nil {
				return err
			}
		}
	}
	return report.commit(ctx)
}

// recipients finds out who gets the letter. The error is one for the time being.
func (p *Drop) recipients(ctx context.Context, t *transaction, l *maildrop.Letter) (refused []Refusal, err error) {
	if p.MessageSize > 0 && l.Text.Size() > p.MessageSize {
		return refuseAll(l, smtp.Replyf(smtp.CodeExceededStorage, smtp.EnhancedCode{5, 3, 4},
			"The message has %d octets, and %d are the most", l.Text.Size(), p.MessageSize)), nil
	}
	for i := range l.To {
		_, err := t.Rcpt(ctx, l.To[i].To, &l.To[i].Params)
		if err == nil {
			continue
		}
		reply := t.o.reply(err)
		if reply.Code.Temporary() && time.Since(l.Left) < DropExpires {
			return nil, fmt.Errorf("<%s>: %w", l.To[i].To, reply)
		}
		refused = append(refused, Refusal{l.To[i].To, reply})
	}
	return refused, nil
}

// text takes the text. The reply is nil, or one that refuses it for good.
func (t *transaction) text(ctx context.Context, l *maildrop.Letter) (*smtp.Reply, error) {
	body, err := l.Text.Open()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	_, err = t.Data(ctx, body)
	var reply *smtp.Reply
	if errors.As(err, &reply) && reply.Code.Permanent() {
		return reply, nil
	}
	return nil, err
}

func refuseAll(l *maildrop.Letter, reply *smtp.Reply) []Refusal {
	all := make([]Refusal, len(l.To))
	for i := range l.To {
		all[i] = Refusal{l.To[i].To, reply}
	}
	return all
}

// notice is a report that is not on its way yet; nil if none is owed.
type notice struct {
	desk      *Desk
	draft     spool.Draft
	how       spool.Commit
	unwelcome error // there is nobody to send one to
}

// report makes ready what tells the sender who does not get a letter, but for those
// of whom he did not want to hear.
func (p *Drop) report(ctx context.Context, l *maildrop.Letter, refused []Refusal) (*notice, error) {
	if len(refused) > 0 && l.From.IsNull() {
		return &notice{unwelcome: fmt.Errorf("%w: it has no sender, and <%s> is refused: %w",
			maildrop.ErrUnwelcome, refused[0].To, refused[0].Reply)}, nil
	}
	told := p.told(l, refused)
	if len(told) == 0 {
		return nil, nil
	}
	report, err := p.compose(l, told)
	if err != nil {
		return nil, err
	}
	n := &notice{desk: p.Desk}
	n.draft, n.how, err = p.Desk.Prepare(ctx, report, l.Text)
	return n, err
}

func (n *notice) abort() {
	if n != nil && n.draft != nil {
		n.draft.Abort()
	}
}

// commit sends the report on its way.
func (n *notice) commit(ctx context.Context) error {
	switch {
	case n == nil:
		return nil
	case n.unwelcome != nil:
		return n.unwelcome
	}
	lease, err := n.draft.Commit(ctx, n.how)
	if err != nil {
		return err
	}
	o := n.desk.opts.Load()
	for _, fact := range n.how.Facts {
		if e, err := event.Parse(fact.Data); err == nil {
			o.Observe(event.Entry{ID: n.draft.ID(), At: fact.At, Event: e})
		}
	}
	o.Arrived(Arrival{Owner: n.how.For, Lease: lease})
	return nil
}

// told are those refusals that NOTIFY has the sender told of (RFC 3461, 5.2.6).
func (p *Drop) told(l *maildrop.Letter, refused []Refusal) []dsn.Recipient {
	why := make(map[smtp.Path]*smtp.Reply, len(refused))
	for _, r := range refused {
		why[r.To] = r.Reply
	}
	var told []dsn.Recipient
	for _, to := range l.To {
		reply := why[to.To]
		outcome := mail.Outcome{Fate: mail.Failed, At: time.Now(), Reply: reply, Local: true}
		if action := outcome.Owes(to.Params.Notify, false); reply != nil && action != 0 {
			r := mail.Recipient{To: to.To, Original: to.To, ORcpt: to.Params.ORcpt, Notify: to.Params.Notify}
			told = append(told, dsn.NewRecipient(r, outcome, action))
		}
	}
	return told
}

func (p *Drop) compose(l *maildrop.Letter, told []dsn.Recipient) (*dsn.Report, error) {
	o := p.Desk.opts.Load()
	from, err := smtp.ParseMailbox("mailer-daemon@" + o.Hostname)
	if err != nil {
		return nil, err
	}
	h, err := glance(l.Text)
	return &dsn.Report{
		MTA: o.Hostname, From: from, To: l.From, Date: time.Now(), Through: l.Name, EnvID: l.Params.EnvID,
		Return: l.Params.Return, UTF8: l.Params.UTF8, Arrived: l.Left, Subject: h.Subject, MessageID: h.MessageID,
		Recipients: told,
	}, err
}

// glance reads what a report tells of a header.
func glance(c mail.Content) (header, error) {
	h := header{mailbox: func(smtp.Path) bool { return false }}
	text, err := c.Open()
	if err != nil {
		return h, err
	}
	defer text.Close()
	_, err = io.Copy(&h, io.LimitReader(text, 64<<10))
	h.End()
	return h, err
}
