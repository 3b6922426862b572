package policy

import "github.com/posthouse/posthouse/smtp"

// Refusal is the error of a [Hearing] that refuses. It wraps the [*smtp.Reply] for the client.
type Refusal struct {
	Heard
}

// Error prints what the client is told.
func (r *Refusal) Error() string { return r.reply().Error() }

// Unwrap returns the [*smtp.Reply].
func (r *Refusal) Unwrap() error { return r.reply() }

func (r *Refusal) reply() *smtp.Reply {
	switch {
	case r.Reply != nil && (r.Reply.Code.Temporary() || r.Reply.Code.Permanent()):
		return r.Reply
	case r.Action == Defer:
		return smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 7, 1}, "Not now, try again later")
	}
	return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 7, 1}, "Refused by policy")
}
