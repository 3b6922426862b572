package smtpserver

import "github.com/posthouse/posthouse/smtp"

// rcpt names a recipient (RFC 5321, 4.1.1.3).
func (c *Conn) rcpt(cmd smtp.Rcpt) {
	c.dialogue.Tried()
	if most := c.server.limits.Recipients; most != none && c.rcpts >= most {
		// RFC 5321, 4.5.3.1.10. Not counted as an error: the client did nothing wrong.
		c.reply(smtp.VerbRCPT, smtp.Replyf(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 5, 3}, "Too many recipients, send this to the rest again"))
		return
	}
	if !cmd.To.IsASCII() && !c.params.UTF8 {
		c.refuse(smtp.VerbRCPT, smtp.Replyf(smtp.CodeNameNotAllowed, smtp.EnhancedCode{5, 6, 7}, "An address that is not ASCII needs MAIL with SMTPUTF8"))
		return
	}
	r, err := c.tx.Rcpt(c.ctx, cmd.To, &cmd.Params)
	if err != nil {
		r = c.asReply(err)
	}
	if r == nil {
		r = &smtp.Reply{Code: smtp.CodeOK, Enhanced: smtp.EnhancedCode{2, 1, 5}, Text: "Recipient OK"}
	}
	if r.Code.Positive() && smtp.VerbRCPT.Permits(r.Code) {
		c.rcpts++
		c.dialogue.Done(cmd)
	}
	c.answer(smtp.VerbRCPT, r)
}
