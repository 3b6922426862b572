package smtpclient

import (
	"context"
	"errors"
	"fmt"

	"github.com/posthouse/posthouse/smtp"
)

// Cmd says a command that stands for itself and returns the reply to it,
// whatever it is: VRFY, EXPN, HELP, NOOP, ETRN, RSET, MAIL, RCPT, or a word of
// one's own. An error is about the connection, unless the command cannot be
// sent because of what is in it.
//
// Commands that change what the connection is have their own methods and are
// refused here: EHLO, STARTTLS, AUTH, XCLIENT, DATA, BDAT, QUIT.
func (c *Conn) Cmd(ctx context.Context, cmd smtp.Command) (*smtp.Reply, error) {
	switch cmd.(type) {
	case smtp.Hello, smtp.StartTLS, smtp.Auth, smtp.XClient, smtp.Data, smtp.Bdat, smtp.Quit:
		return nil, fmt.Errorf("%s is not for Cmd", cmd.Verb())
	}
	defer c.under(ctx)()
	r, err := c.ask(cmd)
	switch cmd.(type) {
	case smtp.Mail, smtp.Rcpt:
		c.open = true
	case smtp.Rset:
		c.open = c.open && (err != nil || !r.Code.Positive())
	}
	return r, err
}

// Quit says QUIT, waits for the answer and closes the connection, whatever the
// answer. An error means nothing for messages that were accepted before.
func (c *Conn) Quit(ctx context.Context) error {
	defer c.under(ctx)()
	_, err := c.demand(smtp.Quit{})
	_ = c.nc.Close()
	c.trace.end(nil)
	if c.dead == nil {
		c.dead = &ConnectionError{smtp.VerbQUIT, errQuit}
	}
	return err
}

var errQuit = errors.New("the connection was ended with QUIT")
