package intake

import (
	"context"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Rcpt implements [smtpserver.Transaction].
func (t *transaction) Rcpt(ctx context.Context, to smtp.Path, params *smtp.RcptParams) (*smtp.Reply, error) {
	answer, err := t.resolve(ctx, to)
	if err == nil && t.o.Policy != nil && !t.inside {
		err = t.o.Policy.Rcpt(ctx, t.visit, to)
	}
	if err == nil {
		err = t.add(to, answer.To, params)
	}
	if err != nil {
		return nil, t.o.refuse(t.visit, smtp.VerbRCPT, to, err)
	}
	t.visit.To = append(t.visit.To, to)
	return answer.Reply, nil
}

// resolve says who gets the mail for a recipient. The postmaster is always
// somebody (RFC 5321, 4.5.1).
func (t *transaction) resolve(ctx context.Context, to smtp.Path) (Answer, error) {
	a, err := t.o.Directory.Lookup(ctx, to)
	switch {
	case err != nil:
		return Answer{}, err
	case len(a.To) == 0 && isPostmaster(to) && (a.Ours || to.Domain() == "") && !t.o.Postmaster.IsNull():
		return Answer{Ours: true, To: []smtp.Path{t.o.Postmaster}}, nil
	case a.Reply != nil && !a.Reply.Code.Positive():
		return Answer{}, a.Reply
	case a.Ours && len(a.To) == 0:
		return Answer{}, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "Nobody is known here by the name <%s>", to)
	case a.Ours:
		return a, nil
	case to.Domain() == "":
		return Answer{}, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "There is no postmaster here")
	case !t.relay:
		return Answer{}, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 1}, "We do not relay: <%s> is not here", to)
	}
	return Answer{To: []smtp.Path{to}}, nil
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
