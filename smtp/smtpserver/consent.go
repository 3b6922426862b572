package smtpserver

import (
	"context"

	"github.com/posthouse/posthouse/smtp"
)

// TLSStarter is a Session that is asked when STARTTLS comes, before it is answered. An error
// refuses it: the session goes on without TLS.
type TLSStarter interface {
	StartTLS(ctx context.Context) error
}

// TextStarter is a Transaction that is asked when DATA comes, before 354. An error refuses the command,
// and the transaction goes on. Nobody is asked when a text comes by BDAT, which
// brings its first octets along.
type TextStarter interface {
	StartText(ctx context.Context) error
}

// consentsToTLS reports whether the Session lets STARTTLS go on.
func (c *Conn) consentsToTLS() bool {
	s, ok := c.session.(TLSStarter)
	if !ok {
		return true
	}
	return c.consents(smtp.VerbSTARTTLS, s.StartTLS(c.ctx))
}

// consentsToText reports whether the Transaction wants the text of DATA.
func (c *Conn) consentsToText() bool {
	t, ok := c.tx.(TextStarter)
	if !ok {
		return true
	}
	return c.consents(smtp.VerbDATA, t.StartText(c.ctx))
}

func (c *Conn) consents(v smtp.Verb, err error) bool {
	if err != nil {
		c.refuse(v, c.asReply(err))
	}
	return err == nil && !c.closing
}
