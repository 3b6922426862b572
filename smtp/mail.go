package smtp

import (
	"errors"
	"fmt"
)

// Mail is MAIL FROM.
type Mail struct {
	From   Path
	Params MailParams
}

// Verb implements [Command].
func (Mail) Verb() Verb { return VerbMAIL }

func (g Grammar) parseMail(args string) (Command, *Reply) {
	p, rest, r := g.parsePath(VerbMAIL, "FROM:", args)
	if r != nil {
		return nil, r
	}
	if g.Strict && !p.IsNull() && p.domain == "" {
		return nil, wrongPath(VerbMAIL, errors.New("address has no domain"))
	}
	params, r := parseMailParams(rest, g.Offers)
	if r != nil {
		return nil, r
	}
	if !p.IsASCII() && !params.UTF8 {
		return nil, notASCII(VerbMAIL)
	}
	return Mail{p, params}, nil
}

func (c Mail) line(dst []byte) ([]byte, error) {
	if err := c.Params.check(); err != nil {
		return dst, fmt.Errorf("MAIL: %w", err)
	}
	if !c.From.IsASCII() && !c.Params.UTF8 {
		return dst, fmt.Errorf("MAIL: %s: %w", c.From, ErrNeedsSMTPUTF8)
	}
	return c.Params.append(c.From.append(append(dst, "MAIL FROM:"...))), nil
}
