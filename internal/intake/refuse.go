package intake

import (
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// refuse states that something was refused, and returns what the client is told.
func (o *Options) refuse(v *policy.Visit, stage smtp.Verb, to smtp.Path, err error) error {
	reply := o.reply(err)
	refused := &event.Refused{Source: v.Source, Stage: stage, From: v.From, To: to, Reply: reply}
	var by *policy.Refusal
	if errors.As(err, &by) {
		refused.Check, refused.Why, refused.Origin = by.Check, clip(by.Reason, maxReason), by.Origin
	}
	o.Observe(event.Entry{At: time.Now(), Event: refused})
	return reply
}

func isReply(err error) bool {
	var reply *smtp.Reply
	return errors.As(err, &reply)
}

// reply is what a client is told of an error. What it must not know is logged.
func (o *Options) reply(err error) *smtp.Reply {
	var reply *smtp.Reply
	switch {
	case errors.As(err, &reply):
		return reply
	case errors.Is(err, spool.ErrFull):
		return smtp.Replyf(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 3, 1}, "There is no room for mail now, try again later")
	case errors.Is(err, spool.ErrLimit):
		return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 3, 4}, "The message is more than this system can hold")
	}
	o.Log.Error("mail is not taken", "error", err)
	return smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "Local error, try again later")
}
