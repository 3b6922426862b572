package smtpclient

import (
	"fmt"
	"slices"

	"github.com/posthouse/posthouse/smtp"
)

// greet waits for the server's greeting.
func (c *Conn) greet() error {
	r, err := c.hear(smtp.Greeting)
	if err != nil {
		return err
	}
	c.greeting = r
	if !r.Code.Positive() {
		return &ConnectionError{smtp.Greeting, refusal(smtp.Greeting, r)}
	}
	return nil
}

// hello says EHLO, or HELO to a server that does not know EHLO, or LHLO.
// What the server said before is forgotten.
func (c *Conn) hello() error {
	c.ext = smtp.Extensions{}
	if c.d.PlainHELO && !c.d.LMTP {
		return c.helo()
	}
	verb := smtp.VerbEHLO
	if c.d.LMTP {
		verb = smtp.VerbLHLO
	}
	r, err := c.ask(smtp.Hello{With: verb, Domain: c.localName()})
	if err != nil {
		return err
	}
	if r.Code.Positive() {
		c.ext = smtp.ParseExtensions(r)
		return nil
	}
	if verb == smtp.VerbLHLO || !ehloUnknown(r.Code) {
		return &ConnectionError{verb, refusal(verb, r)}
	}
	return c.helo()
}

func (c *Conn) helo() error {
	_, err := c.demand(smtp.Hello{With: smtp.VerbHELO, Domain: c.localName()})
	return err
}

// ehloUnknown reports whether HELO is worth a try after this refusal of EHLO
// (RFC 5321, 3.2 and 4.1.4): not if the server is busy, or takes no mail.
func ehloUnknown(c smtp.Code) bool {
	return c.Permanent() && c != smtp.CodeNoMail && c != smtp.CodeFailed
}

// xclient tells the server of the client on whose behalf we speak. The session
// starts over then.
func (c *Conn) xclient() error {
	if len(c.d.XClient) == 0 {
		return nil
	}
	for _, a := range c.d.XClient {
		if !c.ext.Has(smtp.ExtXClient) || !slices.Contains(c.ext.XClient, a.Name) {
			return &ConnectionError{smtp.VerbXCLIENT, fmt.Errorf("%w: %s", ErrNotOffered, a.Name)}
		}
	}
	if _, err := c.demand(smtp.XClient{Attrs: c.d.XClient}); err != nil {
		return err
	}
	return c.hello()
}
