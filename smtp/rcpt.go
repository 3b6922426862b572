package smtp

import (
	"errors"
	"fmt"
)

// Rcpt is RCPT TO.
type Rcpt struct {
	To     Path
	Params RcptParams
}

// Verb implements [Command].
func (Rcpt) Verb() Verb { return VerbRCPT }

func (g Grammar) parseRcpt(args string) (Command, *Reply) {
	p, rest, r := g.parsePath(VerbRCPT, "TO:", args)
	if r != nil {
		return nil, r
	}
	if p.IsNull() {
		return nil, wrongPath(VerbRCPT, errors.New("a recipient cannot be <>"))
	}
	// Whether MAIL said SMTPUTF8 is for the Dialogue to know.
	if !p.IsASCII() && !g.Offers.Has(ExtSMTPUTF8) {
		return nil, notASCII(VerbRCPT)
	}
	params, r := parseRcptParams(rest, g.Offers)
	return Rcpt{p, params}, r
}

func (c Rcpt) line(dst []byte) ([]byte, error) {
	if c.To.IsNull() {
		return dst, errors.New("RCPT: the recipient is empty")
	}
	if err := c.Params.check(); err != nil {
		return dst, fmt.Errorf("RCPT: %w", err)
	}
	return c.Params.append(c.To.append(append(dst, "RCPT TO:"...))), nil
}
