package smtpserver

import (
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// mail begins a transaction (RFC 5321, 4.1.1.2).
func (c *Conn) mail(cmd smtp.Mail) {
	if r := c.accommodate(&cmd.Params); r != nil {
		c.refuse(smtp.VerbMAIL, r)
		return
	}
	if most := c.server.limits.Messages; most != none && c.messages >= most {
		c.bye(smtp.EnhancedCode{4, 7, 0}, "Enough messages on this connection, come again")
		return
	}
	if c.messages == 0 {
		deepen(0)
	}
	c.params = cmd.Params
	tx, err := c.session.Mail(c.ctx, cmd.From, &cmd.Params)
	if err != nil {
		c.refuse(smtp.VerbMAIL, c.asReply(err))
		c.params = smtp.MailParams{}
		return
	}
	c.tx = tx
	c.messages++
	c.dialogue.Done(cmd)
	c.ok(smtp.VerbMAIL, smtp.EnhancedCode{2, 1, 0}, "Sender OK")
}

// accommodate refuses parameters that are well formed but ask for too much.
func (c *Conn) accommodate(p *smtp.MailParams) *smtp.Reply {
	s := c.server
	switch {
	case s.limits.MessageSize != none && p.Size > s.limits.MessageSize:
		return tooLarge(s.limits.MessageSize)
	case p.By.Mode == smtp.ByReturn && p.By.Within < s.DeliverByMin:
		// RFC 2852, 4.
		return smtp.Replyf(smtp.CodeParamUnknown, smtp.EnhancedCode{5, 5, 4},
			"BY= is below %d seconds", int64(s.DeliverByMin/time.Second))
	case p.HoldFor > s.holdMax(), !p.HoldUntil.IsZero() && p.HoldUntil.After(time.Now().Add(s.holdMax())):
		// RFC 4865, 5.
		return smtp.Replyf(smtp.CodeSyntax, smtp.EnhancedCode{5, 5, 4},
			"The hold is longer than %d seconds", int64(s.holdMax()/time.Second))
	}
	return nil
}

func tooLarge(limit int64) *smtp.Reply {
	return smtp.Replyf(smtp.CodeExceededStorage, smtp.EnhancedCode{5, 3, 4}, "Message is larger than %d octets", limit)
}
