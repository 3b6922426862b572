package intake

import (
	"context"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Rcpt implements [smtpserver.Transaction].
func (t *transaction) Rcpt(ctx context.Context, to smtp.Path, params *smtp.RcptParams) (*smtp.Reply, error) {
	final, reply, err := t.resolve(ctx, to)
	if err == nil && t.o.Policy != nil && !t.inside {
		err = t.o.Policy.Rcpt(ctx, t.visit, to)
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
func (t *transaction) resolve(ctx context.Context, to smtp.Path) (final []smtp.Path, reply *smtp.Reply, err error) {
	r, err := t.o.Directory.Lookup(ctx, to)
	switch reply = r.Reply(); {
	case err != nil:
		return nil, nil, err
	case r.Kind == directory.NotOurs:
		final, err = t.relayed(to)
		return final, nil, err
	case reply != nil && !reply.Code.Positive():
		return nil, nil, reply
	}
	for _, target := range r.To {
		if target.Into != "" {
			return nil, nil, fmt.Errorf("%s (%s): mail into %q cannot be carried", r.Address, r.Origin, target.Into)
		}
		final = append(final, target.To)
	}
	return final, reply, nil
}

// relayed is for recipients who are not ours. The postmaster of this host is
// always somebody (RFC 5321, 4.5.1).
func (t *transaction) relayed(to smtp.Path) ([]smtp.Path, error) {
	switch {
	case to.Domain() == "" && isPostmaster(to) && !t.o.Postmaster.IsNull():
		return []smtp.Path{t.o.Postmaster}, nil
	case to.Domain() == "":
		return nil, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "There is no <%s> here", to)
	case !t.relay && !t.o.RelayTo(to):
		return nil, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 1}, "We do not relay: <%s> is not here", to)
	}
	return []smtp.Path{to}, nil
}

func isPostmaster(p smtp.Path) bool { return strings.EqualFold(p.Mailbox(), "postmaster") }

// add puts the final recipients of an address into the envelope. What was asked
// for with NOTIFY goes with each of them but for success, which goes with the
// first: the sender asked about one recipient (RFC 3461, 5.2.7.3 (b)).
func (t *transaction) add(original smtp.Path, final []smtp.Path, params *smtp.RcptParams) error {
	if len(t.to)+len(final) > t.o.MaxRecipients {
		return smtp.Replyf(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 5, 3}, "Too many recipients")
	}
	notify := params.Notify
	for _, p := range final {
		t.addOne(mail.Recipient{To: p, Original: original, ORcpt: reportedAs(original, p, params.ORcpt), Notify: notify})
		if notify&smtp.NotifySuccess != 0 {
			if notify &^= smtp.NotifySuccess; notify == 0 {
				notify = smtp.NotifyNever
			}
		}
	}
	return nil
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
	key := mailbox(r.To)
	if i, there := t.index[key]; there {
		t.to[i].Notify = both(t.to[i].Notify, r.Notify)
		return
	}
	if t.index == nil {
		t.index = make(map[string]int)
	}
	t.index[key] = len(t.to)
	t.to = append(t.to, r)
}

// mailbox is the same for paths that name the same mailbox.
func mailbox(p smtp.Path) string { return p.Mailbox() + "@" + strings.ToLower(p.Domain()) }

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
