package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Classify makes an outcome of what became of a recipient at an SMTP or LMTP
// server. accepted is the fate of success, Relayed or Delivered.
//
//	reply 2yz to the text         accepted
//	reply 4yz                     deferred
//	reply 5yz                     failed
//	530, 534, 535, 538            deferred: the server refuses us, and not the mail
//	refused here, without asking  deferred or failed by its code; Local
//	cut, or no reply in time      deferred; HostDown if MAIL was not answered yet
//	cut behind the final dot      deferred, Unsure
//	no reply: ctx was cancelled   deferred, OurLimit
func Classify(ctx context.Context, o *smtpclient.Outcome, accepted mail.Fate) mail.Outcome {
	out := mail.Outcome{Fate: mail.Deferred, Stage: o.Stage, Reply: Clip(o.Reply), Local: o.Local}
	switch {
	case o.Err == nil:
		out.Fate = accepted
	case o.Fate() == smtpclient.Unknown:
		out.Unsure, out.Local = true, true
		if sabotage.Is("no answer is taken for a yes") {
			out.Fate, out.Unsure = accepted, false
		}
		out.Reply = Local(smtp.CodeLocalError, smtp.EnhancedCode{4, 4, 2}, "The message may have been accepted, but no reply came: %s",
			strings.TrimPrefix(o.Err.Error(), smtpclient.ErrUnknownOutcome.Error()+": "))
	case o.Reply == nil:
		return broken(ctx, o.Stage, o.Err)
	case o.Reply.Code == smtp.CodeUnavailable:
		out.HostDown = !afterMail(o.Stage)
	case sabotage.Is("not now is taken for never"):
		out.Fate = mail.Failed
	case o.Reply.Code.Permanent() && !aboutUs(o.Reply.Code):
		out.Fate = mail.Failed
	}
	return out
}

// aboutUs: codes that say that we have not proved who we are, or not used TLS.
// The operator can mend that, so the mail waits.
func aboutUs(c smtp.Code) bool {
	switch c {
	case smtp.CodeAuthRequired, smtp.CodeMechanismTooWeak, smtp.CodeBadCredentials, smtp.CodeEncryptionRequired:
		return true
	}
	return false
}

// afterMail reports whether the server had answered MAIL when a stage came.
func afterMail(stage smtp.Verb) bool {
	switch stage {
	case smtp.VerbRCPT, smtp.VerbDATA, smtp.Dot, smtp.VerbBDAT:
		return true
	}
	return false
}

// TooMany reports whether a recipient was refused only because there are others
// (RFC 5321, 4.5.3.1.10, which has 552 mean the same).
func TooMany(o *smtpclient.Outcome) bool {
	if o.Err == nil || o.Stage != smtp.VerbRCPT || o.Reply == nil {
		return false
	}
	e := o.Reply.Enhanced
	said := e.IsZero() || e[1] == 5 && e[2] == 3
	return said && (o.Reply.Code == smtp.CodeInsufficientStorage || o.Reply.Code == smtp.CodeExceededStorage)
}

// Unreached makes an outcome of why there is no connection that is ready for MAIL:
// deferred and HostDown; or failed, if the server has refused its service for good,
// as its greeting or its answer to EHLO (RFC 5321, 3.1; RFC 7504); or deferred and Stuck,
// if it is a [*StuckError].
func Unreached(ctx context.Context, err error) mail.Outcome {
	var stuck *StuckError
	if errors.As(err, &stuck) {
		return mail.Outcome{
			Fate: mail.Deferred, Stage: smtp.VerbAUTH, Local: true, Stuck: true,
			Reply: Local(smtp.CodeLocalError, smtp.EnhancedCode{4, 7, 0}, "%v", stuck.Err),
		}
	}
	var at *smtpclient.ConnectionError
	stage := smtp.VerbUnknown
	if errors.As(err, &at) {
		stage = at.Stage
	}
	var reply *smtp.Reply
	if !errors.As(err, &reply) || reply.Code.Positive() {
		return broken(ctx, stage, err)
	}
	out := mail.Outcome{Fate: mail.Deferred, Stage: stage, Reply: Clip(reply), HostDown: true}
	greets := stage == smtp.Greeting || stage == smtp.VerbEHLO || stage == smtp.VerbHELO || stage == smtp.VerbLHLO
	if greets && reply.Code.Permanent() && !aboutUs(reply.Code) {
		out.Fate, out.HostDown = mail.Failed, false
	}
	return out
}

// StuckError says that we cannot log in until a person acts. The text says what is to be
// done.
type StuckError struct{ Err error }

func (e *StuckError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *StuckError) Unwrap() error { return e.Err }

// broken is the outcome of a connection that failed, without a reply.
func broken(ctx context.Context, stage smtp.Verb, err error) mail.Outcome {
	if errors.Is(ctx.Err(), context.Canceled) {
		return Interrupted()
	}
	enhanced := smtp.EnhancedCode{4, 4, 2}
	switch {
	case stage == smtp.VerbUnknown:
		enhanced = smtp.EnhancedCode{4, 4, 1}
	case stage == smtp.VerbSTARTTLS:
		enhanced = smtp.EnhancedCode{4, 7, 5}
	case stage == smtp.VerbAUTH:
		enhanced = smtp.EnhancedCode{4, 7, 0}
	}
	return mail.Outcome{
		Fate: mail.Deferred, Stage: stage, Local: true, HostDown: !afterMail(stage),
		Reply: Local(smtp.CodeLocalError, enhanced, "%v", err),
	}
}

// Interrupted is the outcome of a delivery that we ended ourselves.
func Interrupted() mail.Outcome {
	return mail.Outcome{
		Fate: mail.Deferred, Local: true, OurLimit: true,
		Reply: Local(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 2}, "The delivery was interrupted here"),
	}
}

// Unreadable is the outcome of a message whose text cannot be read.
func Unreadable(err error) mail.Outcome {
	return mail.Outcome{
		Fate: mail.Deferred, Local: true,
		Reply: Local(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "The text cannot be read: %v", err),
	}
}

// maxReply is how many octets of a reply's text, or of a line, are kept.
const maxReply = 1000

// Local makes a reply that is ours: one printable line.
func Local(code smtp.Code, enhanced smtp.EnhancedCode, format string, args ...any) *smtp.Reply {
	return &smtp.Reply{Code: code, Enhanced: enhanced, Text: Line(fmt.Sprintf(format, args...))}
}

// Line makes one printable line, of the length that an outcome keeps, of what may
// have come from outside.
func Line(s string) string {
	return clip(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s))
}

// Clip returns a reply with as much of its text as an outcome keeps.
func Clip(r *smtp.Reply) *smtp.Reply {
	if r == nil || len(r.Text) <= maxReply {
		return r
	}
	short := *r
	short.Text = clip(r.Text)
	return &short
}

func clip(s string) string {
	if len(s) <= maxReply {
		return s
	}
	at := maxReply
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	return strings.TrimRight(s[:at], "\n") + "..."
}
