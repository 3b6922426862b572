package intake

import (
	"context"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/smtp"
)

// Rcpt implements [smtpserver.Transaction].
func (t *transaction) Rcpt(ctx context.Context, to smtp.Path, params *smtp.RcptParams) (*smtp.Reply, error) {
	final, reply, err := t.resolve(ctx, to)
	if err == nil && t.hearing != nil {
		err = t.hearing.Rcpt(ctx, t.visit, &smtp.Rcpt{To: to, Params: *params})
	}
	if err == nil {
		err = t.mayAdd()
	}
	if err == nil {
		err = t.add(to, final, params)
	}
	if err != nil {
		return nil, t.o.refuse(t.visit, smtp.VerbRCPT, to, err)
	}
	t.visit.To = append(t.visit.To, to)
	return reply, nil
}

// resolve says who gets the mail for a recipient, and what the client is told
// other than a plain 250. An error refuses it.
func (t *transaction) resolve(ctx context.Context, to smtp.Path) (final []directory.Target, reply *smtp.Reply, err error) {
	r, err := t.o.Directory.Lookup(ctx, to)
	switch reply = r.Reply(); {
	case err != nil:
		return nil, nil, err
	case r.Kind == directory.NotOurs:
		at, err := t.relayed(to)
		return []directory.Target{{To: at}}, nil, err
	case reply != nil && !reply.Code.Positive():
		return nil, nil, reply
	}
	return r.To, reply, nil
}

// relayed is for recipients who are not ours. The postmaster of this host is
// always somebody (RFC 5321, 4.5.1).
func (t *transaction) relayed(to smtp.Path) (smtp.Path, error) {
	switch {
	case to.Domain() == "" && isPostmaster(to) && !t.o.Postmaster.IsNull():
		return t.o.Postmaster, nil
	case to.Domain() == "":
		return smtp.Path{}, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "There is no <%s> here", to)
	case !t.relay && !t.o.RelayTo(to):
		return smtp.Path{}, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 1}, "We do not relay: <%s> is not here", to)
	}
	return to, nil
}

func isPostmaster(p smtp.Path) bool { return mail.FoldLocal(p.Mailbox()) == "postmaster" }

// add puts the final recipients of an address into the envelope. What was asked
// for with NOTIFY goes with each of them. Only success cannot be told of one who
// became several: the sender hears that they were expanded, and no more of it
// (RFC 3461, 5.2.7.3 (c)).
func (t *transaction) add(original smtp.Path, final []directory.Target, params *smtp.RcptParams) error {
	notify := params.Notify
	if sabotage.Is("wishes for reports are forgotten") {
		notify = 0
	}
	expands := len(final) > 1 && notify&smtp.NotifySuccess != 0
	if len(t.to)+len(final) > t.o.MaxRecipients || expands && len(t.to)+len(final) == t.o.MaxRecipients {
		return smtp.Replyf(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 5, 3}, "Too many recipients")
	}
	if expands {
		t.expand(original, params.ORcpt)
		if notify &^= smtp.NotifySuccess; notify == 0 {
			notify = smtp.NotifyNever
		}
	}
	for _, f := range final {
		if sabotage.Is("a forward is forgotten") {
			f.To = original
		}
		if sabotage.Is("the sender gets it") && !t.visit.From.IsNull() {
			f.To = t.visit.From
		}
		t.addOne(mail.Recipient{
			To: f.To, Original: original, ORcpt: reportedAs(original, f.To, params.ORcpt), Notify: notify, Into: f.Into, Origin: f.Origin,
		})
	}
	return nil
}

// expand puts an alias of several into the envelope that its sender is to hear
// of, if there is one.
func (t *transaction) expand(alias smtp.Path, told smtp.ORcpt) {
	if !t.visit.From.IsNull() {
		t.addOne(mail.Recipient{To: alias, Original: alias, ORcpt: told, Notify: smtp.NotifySuccess, Expanded: true})
	}
}

// reportedAs is the original recipient that reports are to name: what the sender
// has said, or else the address before an alias of ours took its place.
func reportedAs(original, final smtp.Path, told smtp.ORcpt) smtp.ORcpt {
	switch {
	case told != (smtp.ORcpt{}) || original == final:
		return told
	case original.IsASCII():
		return smtp.ORcpt{Type: "rfc822", Addr: original.String()}
	}
	return smtp.ORcpt{Type: "utf-8", Addr: original.String()}
}

// addOne puts a recipient into the envelope, unless it is there already by
// another name: then both wishes for reports hold.
func (t *transaction) addOne(r mail.Recipient) {
	if len(t.to) > 0 {
		if i, there := t.at(placeOf(&r)); there {
			t.to[i].Notify = both(t.to[i].Notify, r.Notify)
			return
		}
	}
	if sabotage.Is("only the first recipient gets it") && len(t.to) > 0 {
		return
	}
	t.to = append(t.to, r)
}

// at finds out which recipient is at a place. The first one needs no index for that, and
// most messages have no other.
func (t *transaction) at(p place) (recipient int, there bool) {
	if len(t.to) > 0 && t.index == nil {
		t.index = make(map[place]int)
	}
	for i := t.indexed; i < len(t.to); i++ {
		at := placeOf(&t.to[i])
		t.index[at] = i
		if at.into != "" {
			t.index[place{mailbox: at.mailbox, alias: true}] = i
		}
	}
	t.indexed = len(t.to)
	recipient, there = t.index[p]
	return recipient, there
}

// place is the same for recipients to whom a message goes once.
type place struct {
	mailbox string // of paths that name the same one
	into    string
	alias   bool // there is a command or file in the place of this mailbox
	told    bool // nothing is sent to it: that it was expanded is told
}

func placeOf(r *mail.Recipient) place {
	return place{mailbox: mailbox(r.To), into: r.Into, told: r.Expanded}
}

func mailbox(p smtp.Path) string { return p.Mailbox() + "@" + mail.FoldDomain(p.Domain()) }

// has reports whether mail for a mailbox is among what the message goes to.
func (t *transaction) has(p smtp.Path) bool {
	_, there := t.at(place{mailbox: mailbox(p)})
	if !there {
		_, there = t.at(place{mailbox: mailbox(p), alias: true})
	}
	return there
}

func both(a, b smtp.Notify) smtp.Notify {
	switch {
	case a == b || b == smtp.NotifyNever:
		return a
	case a == smtp.NotifyNever:
		return b
	}
	return told(a) | told(b)
}

// told spells out the notice that nobody asked for (RFC 3461, 4.1).
func told(n smtp.Notify) smtp.Notify {
	if n == 0 {
		return smtp.NotifyFailure | smtp.NotifyDelay
	}
	return n
}
