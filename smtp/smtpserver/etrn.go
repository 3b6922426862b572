package smtpserver

import "github.com/posthouse/posthouse/smtp"

// etrn asks that mail for a node be sent now (RFC 1985, 5).
func (c *Conn) etrn(cmd smtp.Etrn) {
	s := c.session.(Turner) // else ETRN would not have been understood
	r, err := s.Turn(c.ctx, cmd.Node)
	if err != nil {
		r = c.asReply(err)
	}
	if r == nil {
		r = smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "Queuing for node %s started", cmd.Node)
	}
	c.answer(smtp.VerbETRN, r)
}
