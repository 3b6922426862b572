package directory

import (
	"context"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

// Reply is what the sender of mail for an address is told other than a plain 250
// (RFC 5321, 3.4), nil if
// nothing. That of NotOurs is nil too: whether we relay is not for the directory
// to say.
func (r Resolution) Reply() *smtp.Reply {
	switch {
	case r.Kind == Unknown:
		return smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "Nobody is known here by the name <%s>", r.Address)
	case r.Kind == Moved:
		return smtp.Replyf(smtp.CodeNotLocal, smtp.EnhancedCode{5, 1, 6}, "User not local; please try <%s>", r.New)
	case r.Kind == Forwarded && r.Tell:
		return smtp.Replyf(smtp.CodeWillForward, smtp.EnhancedCode{2, 1, 5}, "User not local; will forward to <%s>", r.New)
	}
	return nil
}

// maxListed is how many addresses a reply lists, well within what a client
// reads of one (smtp.MaxReplyLines).
const maxListed = 200

// Verify makes the reply to VRFY (RFC 5321, 3.5): 250 with the address, 251 or
// 551 with the new one of who has moved, 550 if nobody is known, 553 if several
// may be meant. An alias of several is called a list.
func Verify(ctx context.Context, d Directory, user string) (*smtp.Reply, error) {
	r, not, err := findOne(ctx, d, user)
	switch {
	case err != nil || not != nil:
		return not, err
	case r.Kind == Moved || r.Kind == Forwarded && r.Tell:
		return r.Reply(), nil
	case r.Kind == Alias && len(r.To) > 1:
		return smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 1, 5}, "Mailing list <%s>", r.Address), nil
	}
	return smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 1, 5}, "%s", r.Address), nil
}

// findOne finds the only one whom a name may mean; if there is none, or more
// than one, not is the reply that says so.
func findOne(ctx context.Context, d Directory, name string) (one Resolution, not *smtp.Reply, err error) {
	found, err := d.Find(ctx, name)
	switch {
	case err != nil:
		return Resolution{}, nil, err
	case len(found) == 0:
		return Resolution{}, unknown(), nil
	case len(found) > 1:
		return Resolution{}, ambiguous(found), nil
	}
	return found[0], nil, nil
}

// Expand makes the reply to EXPN (RFC 5321, 3.5): 250 with an address a line, 550
// if the name is no list, 553 if several may be meant, 252 if the list is longer
// than a reply should be. Commands and files are not told.
func Expand(ctx context.Context, d Directory, list string) (*smtp.Reply, error) {
	found, not, err := findOne(ctx, d, list)
	switch {
	case err != nil || not != nil:
		return not, err
	case found.Kind != Alias:
		return smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 0}, "That is a user name, not a mailing list"), nil
	}
	var members []string
	for _, t := range found.To {
		if t.Into == "" {
			members = append(members, t.To.String())
		}
	}
	if n := len(members); n == 0 || n > maxListed {
		return smtp.Replyf(smtp.CodeCannotVerify, smtp.EnhancedCode{2, 5, 0}, "The list is here, but its members are not told"), nil
	}
	return &smtp.Reply{Code: smtp.CodeOK, Enhanced: smtp.EnhancedCode{2, 1, 5}, Text: strings.Join(members, "\n")}, nil
}

func unknown() *smtp.Reply {
	return smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "Nobody is known here by this name")
}

// ambiguous lists who may be meant (RFC 5321, 3.5.1).
func ambiguous(found []Resolution) *smtp.Reply {
	text := []string{"Ambiguous; possibilities are"}
	for _, r := range found[:min(len(found), maxListed)] {
		text = append(text, "<"+r.Address.String()+">")
	}
	return &smtp.Reply{Code: smtp.CodeNameNotAllowed, Enhanced: smtp.EnhancedCode{5, 1, 4}, Text: strings.Join(text, "\n")}
}
