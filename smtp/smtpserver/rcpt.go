package smtpserver

import "github.com/posthouse/posthouse/smtp"

// rcpt names a recipient (RFC 5321, 4.1.1.3).
func (c *Conn) rcpt(cmd smtp.Rcpt) {
	c.dialogue.Tried()
	if most := c.server.limits.Recipients; most != none && c.dialogue.Recipients() >= most {
		// RFC 5321, 4.5.3.1.10. Not counted as an error: the client did nothing wrong.
		c.reply(smtp.VerbRCPT, smtp.Replyf(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 5, 3}, "Too many recipients, send this to the rest again"))
		return
	}
	r, err := c.tx.Rcpt(c.ctx, cmd.To, &cmd.Params)
	switch {
	case err != nil:
		r = c.asReply(err)
	case r == nil:
		r = &smtp.Reply{Code: smtp.CodeOK, Enhanced: smtp.EnhancedCode{2, 1, 5}, Text: "Recipient OK"}
	}
	if c.answer(smtp.VerbRCPT, r) {
		c.dialogue.Done(cmd)
	}
}
