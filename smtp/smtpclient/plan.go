package smtpclient

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

// plan fits the message to what the server offers, before anything is sent. It
// refuses what cannot be sent, for one recipient or for all, and returns false
// if nobody is left.
func (t *transaction) plan() bool {
	steps := []func() *localRefusal{t.planTLS, t.planTime, t.planText, t.planUTF8, t.plan8Bit, t.planSize}
	for _, step := range steps {
		if r := step(); r != nil {
			t.refuseAll(smtp.VerbMAIL, r)
			return false
		}
	}
	t.dropParams()
	t.planRecipients()
	left := false
	t.undecided(func(*Outcome) { left = true })
	return left
}

func (t *transaction) offers(e smtp.Extension) bool { return t.c.ext.Has(e) }

// planTLS refuses a message with REQUIRETLS that would not be kept secret on its
// way (RFC 8689, 4.2.1). A report goes all the same, without REQUIRETLS where
// that cannot be had (section 5).
func (t *transaction) planTLS() *localRefusal {
	switch {
	case !t.mail.Params.RequireTLS:
		return nil
	case t.mail.From.IsNull():
		t.mail.Params.RequireTLS = t.c.verified()
		return nil
	case !t.c.verified():
		return refuse(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 10},
			errors.New("REQUIRETLS needs TLS and a good certificate"))
	case !t.offers(smtp.ExtRequireTLS):
		return refuse(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 30},
			errors.New("the server does not offer REQUIRETLS"))
	}
	return nil
}

// planTime refuses a message that would otherwise be delivered too early or too
// late unnoticed: the server cannot hold it, or not for so long (RFC 4865), or
// does not know of the time limit (RFC 2852).
func (t *transaction) planTime() *localRefusal {
	p, x := &t.mail.Params, &t.c.ext
	holds := p.HoldFor != 0 || !p.HoldUntil.IsZero()
	switch {
	case holds && !t.offers(smtp.ExtFutureRelease):
		return refuse(smtp.CodeParamUnknown, smtp.EnhancedCode{5, 5, 4},
			errors.New("the server does not offer FUTURERELEASE"))
	case x.HoldMax > 0 && p.HoldFor > x.HoldMax, !x.HoldUntilMax.IsZero() && p.HoldUntil.After(x.HoldUntilMax):
		return refuse(smtp.CodeSyntax, smtp.EnhancedCode{5, 5, 4},
			errors.New("the server does not hold messages for so long"))
	case p.By.Mode == smtp.ByReturn && !t.offers(smtp.ExtDeliverBy):
		return refuse(smtp.CodeFailed, smtp.EnhancedCode{5, 3, 3}, errors.New("the server does not offer DELIVERBY"))
	}
	return nil
}

// planText finds out what kind of text it is.
func (t *transaction) planText() *localRefusal {
	if err := t.text.load(t.c, t.body, t.mail.Params.Body); err != nil {
		return textFault(err)
	}
	return nil
}

// planUTF8 finds out whether SMTPUTF8 is needed (RFC 6531, 3.2). Recipients
// that alone need it are refused alone.
func (t *transaction) planUTF8() *localRefusal {
	needed := t.mail.Params.UTF8 || t.text.utf8
	if t.offers(smtp.ExtSMTPUTF8) {
		t.mail.Params.UTF8 = needed || t.addressesNeedUTF8()
		t.mail.From = t.path(t.mail.From)
		return nil
	}
	if needed {
		return refuse(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 7}, fmt.Errorf("header: %w", smtp.ErrNeedsSMTPUTF8))
	}
	from, err := t.mail.From.ToASCII()
	if err != nil {
		return refuse(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 6, 7}, err)
	}
	t.mail.From = from
	t.undecided(func(o *Outcome) {
		if _, err := o.To.ToASCII(); err != nil {
			o.refuse(smtp.VerbRCPT, refuse(smtp.CodeNameNotAllowed, smtp.EnhancedCode{5, 6, 7}, err))
		}
	})
	return nil
}

// addressesNeedUTF8 reports whether an address has no ASCII form.
func (t *transaction) addressesNeedUTF8() bool {
	_, err := t.mail.From.ToASCII()
	t.undecided(func(o *Outcome) {
		if err == nil {
			_, err = o.To.ToASCII()
		}
	})
	return err != nil
}

// path returns the path as it is sent: in ASCII, unless SMTPUTF8 is needed.
func (t *transaction) path(p smtp.Path) smtp.Path {
	if t.mail.Params.UTF8 {
		return p
	}
	if a, err := p.ToASCII(); err == nil {
		return a
	}
	return p
}

// plan8Bit has a text encoded that the server cannot take (RFC 6152, 3;
// RFC 3030, 3).
func (t *transaction) plan8Bit() *localRefusal {
	var lacks error
	switch {
	case t.text.kind == smtp.BodyBinary && !(t.offers(smtp.ExtBinaryMIME) && t.offers(smtp.ExtChunking)):
		lacks = ErrNeedsBinaryMIME
	case t.text.kind == smtp.Body8Bit && !t.offers(smtp.Ext8BitMIME):
		lacks = ErrNeeds8BitMIME
	default:
		return nil
	}
	if t.c.d.Refuse8Bit {
		return refuse(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 3}, lacks)
	}
	if err := t.text.to7Bit(); err != nil {
		return refuse(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 3}, fmt.Errorf("%w: %w", lacks, err))
	}
	t.res.Encoded = true
	return nil
}

// planSize refuses a message that is too large for the server (RFC 1870, 6).
func (t *transaction) planSize() *localRefusal {
	p := &t.mail.Params
	if p.Size == 0 || t.res.Encoded {
		p.Size = max(t.text.size, 0)
	}
	if most := t.c.ext.MaxSize; most > 0 && p.Size > most {
		return refuse(smtp.CodeExceededStorage, smtp.EnhancedCode{5, 3, 4},
			fmt.Errorf("the message has %d octets, the server takes %d", p.Size, most))
	}
	return nil
}

// dropParams leaves out what the server does not offer and does not need.
func (t *transaction) dropParams() {
	p := &t.mail.Params
	p.Body = t.text.kind
	if p.Body == smtp.Body7Bit && t.env.Mail.Body != smtp.Body7Bit ||
		!t.offers(smtp.Ext8BitMIME) && p.Body != smtp.BodyBinary {
		p.Body = "" // which means 7-bit
	}
	missing := p.Uses() &^ t.c.ext.Set
	for i := range t.env.To {
		missing |= t.env.To[i].Params.Uses() &^ t.c.ext.Set
	}
	for _, d := range []struct {
		ext  smtp.Extension
		drop func()
	}{
		{smtp.ExtSize, func() { p.Size = 0 }},
		{smtp.ExtPRDR, func() { p.PRDR = false }},
		{smtp.ExtAuth, func() { p.Auth = "" }},
		{smtp.ExtRequireTLS, func() { p.RequireTLS = false }}, // of a report
		{smtp.ExtDSN, func() { p.Return, p.EnvID = "", "" }},
		{smtp.ExtDeliverBy, func() { p.By = smtp.DeliverBy{} }},
		{smtp.ExtMTPriority, func() { p.Priority = 0 }},
	} {
		if missing.Has(d.ext) {
			d.drop()
		}
	}
	t.res.Dropped = missing &^ smtp.SetOf(smtp.ExtSize, smtp.Ext8BitMIME)
}

// rcptParams returns the parameters for a recipient.
func (t *transaction) rcptParams(i int) smtp.RcptParams {
	if t.offers(smtp.ExtDSN) {
		return t.env.To[i].Params
	}
	return smtp.RcptParams{}
}

// planRecipients refuses for now the recipients that are more than the server
// takes (RFC 9422).
func (t *transaction) planRecipients() {
	limits := t.c.ext.Limits
	n := 0
	t.undecided(func(o *Outcome) {
		if limits.RcptMax > 0 && n >= limits.RcptMax || !t.c.domainFits(o.To, limits.RcptDomainMax) {
			o.refuse(smtp.VerbRCPT, refuse(smtp.CodeInsufficientStorage, smtp.EnhancedCode{4, 5, 3}, errTooMany))
			return
		}
		n++
	})
}

var errTooMany = errors.New("the server takes no more recipients at once")

// domainFits counts the domain of a recipient among those of the session.
func (c *Conn) domainFits(p smtp.Path, most int) bool {
	if most == 0 {
		return true
	}
	if c.domains == nil {
		c.domains = make(map[string]struct{})
	}
	name := strings.ToLower(p.Domain())
	if _, known := c.domains[name]; !known && len(c.domains) >= most {
		return false
	}
	c.domains[name] = struct{}{}
	return true
}

// way is how the text goes to the server.
type way int

const (
	byDot          way = iota // DATA
	byChunks                  // BDAT
	bySingleFlight            // BDAT LAST, behind RCPT
)

// chooseWay uses BDAT for what DATA cannot carry, and to save a round trip if that
// is wanted. Otherwise DATA is as fast, and what every server knows best.
func (t *transaction) chooseWay() way {
	switch {
	case t.text.kind == smtp.BodyBinary:
		return byChunks
	case t.c.d.SingleFlight && !t.c.careful && t.offers(smtp.ExtChunking) && t.offers(smtp.ExtPipelining) &&
		t.text.whole != nil && len(t.text.whole) < pieceSize/2:
		return bySingleFlight
	}
	return byDot
}
