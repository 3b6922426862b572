package smtpserver

import (
	"os"
	"strings"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// open greets the client and makes its Session. It returns false if the
// connection is turned away: with a reply, or without one where TLS failed.
func (c *Conn) open() bool {
	c.dialogue.LMTP = c.server.LMTP
	c.grammar.Strict = c.server.Strict
	if r := c.server.full(c); r != nil {
		if !c.server.ImplicitTLS { // to say it under TLS would take a handshake
			c.reply(smtp.Greeting, r)
		}
		c.over(r)
		return false
	}
	if c.server.ImplicitTLS && !c.handshake() || !c.listen() {
		return false
	}
	session, err := c.server.Handler.NewSession(c.ctx, c)
	if err != nil {
		r := c.turnAway(err)
		c.reply(smtp.Greeting, r)
		c.over(r)
		return false
	}
	c.session = session
	c.offer()
	c.reply(smtp.Greeting, &smtp.Reply{Code: smtp.CodeReady, Text: c.protocols() + " ready"})
	return true
}

// turnAway makes a greeting of what NewSession returned: few codes can stand
// in one (RFC 5321, 4.3.2).
func (c *Conn) turnAway(err error) *smtp.Reply {
	r := *c.asReply(err)
	switch {
	case smtp.Greeting.Permits(r.Code):
	case r.Code.Permanent():
		r.Code = smtp.CodeFailed
	default:
		r.Code = smtp.CodeUnavailable
	}
	return &r
}

func (c *Conn) protocols() string {
	if c.server.LMTP {
		return "LMTP"
	}
	return "ESMTP"
}

// listen waits out GreetDelay. It returns false if the client hung up meanwhile, or
// talked and was turned away for it.
func (c *Conn) listen() bool {
	if c.server.GreetDelay <= 0 {
		return true
	}
	c.readBy = time.Now().Add(c.server.GreetDelay)
	err := c.nc.SetReadDeadline(c.readBy)
	if err == nil {
		err = c.reader.Ahead()
	}
	switch {
	case err == nil && c.server.EarlyTalkers:
		c.early = true
		return true
	case err == nil:
		r := smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 5, 1}, "Wait for the greeting before you talk")
		c.reply(smtp.Greeting, r)
		c.over(r)
		return false
	case os.IsTimeout(err):
		return true
	}
	c.lost(err)
	return false
}

// helloed answers HELO, EHLO and LHLO. They end a transaction, unless they are
// refused (RFC 5321, 4.1.4).
func (c *Conn) helloed(cmd smtp.Hello) {
	before := c.hello
	c.hello = cmd.Domain
	if s, ok := c.session.(HelloHandler); ok {
		if err := s.Hello(c.ctx, cmd); err != nil {
			c.hello = before
			c.refuse(cmd.With, c.asReply(err))
			return
		}
	}
	c.abort()
	c.dialogue.Done(cmd)
	x := c.offer()
	lines := []string{c.server.hostname + " greets " + cmd.Domain}
	if cmd.With != smtp.VerbHELO {
		lines = append(lines, x.Lines()...)
	}
	// RFC 2034, 4: no enhanced code in this reply.
	c.reply(cmd.With, &smtp.Reply{Code: smtp.CodeOK, Text: strings.Join(lines, "\n")})
}

// offer works out which extensions are offered now, and makes the grammar
// understand those and no others.
func (c *Conn) offer() smtp.Extensions {
	s := c.server
	set := s.Offer | smtp.SetOf(smtp.ExtSize, smtp.Ext8BitMIME, smtp.ExtPipelining, smtp.ExtChunking,
		smtp.ExtEnhancedStatusCodes, smtp.ExtLimits, smtp.ExtHELP)
	offerIf := func(e smtp.Extension, offered bool) {
		set = set.Without(e)
		if offered {
			set = set.With(e)
		}
	}
	mechanisms := c.mechanisms()
	_, verifies := c.session.(Verifier)
	_, expands := c.session.(Expander)
	_, turns := c.session.(Turner)
	offerIf(smtp.ExtStartTLS, s.tls != nil && c.tls == nil)
	offerIf(smtp.ExtAuth, len(mechanisms) > 0)
	offerIf(smtp.ExtVRFY, verifies)
	offerIf(smtp.ExtEXPN, expands)
	offerIf(smtp.ExtETRN, turns)
	offerIf(smtp.ExtXClient, listed(s.XClientFrom, addrPort(c.nc.RemoteAddr()).Addr()))
	// RFC 8689, 4: only under TLS.
	offerIf(smtp.ExtRequireTLS, s.Offer.Has(smtp.ExtRequireTLS) && c.tls != nil)
	set &^= s.Withhold
	if !set.Has(smtp.ExtChunking) {
		set = set.Without(smtp.ExtBinaryMIME)
	}
	c.grammar.Offers = set
	if _, ok := c.session.(Authenticator); ok && !s.Withhold.Has(smtp.ExtAuth) {
		// Not offered before TLS, but then 530 or 538 tells why.
		c.grammar.Offers = set.With(smtp.ExtAuth)
	}
	return c.extensions(set, mechanisms)
}

func (c *Conn) extensions(set smtp.ExtensionSet, mechanisms []string) smtp.Extensions {
	s := c.server
	x := smtp.Extensions{
		Set: set, MaxSize: s.limits.MessageSize, Mechanisms: mechanisms,
		DeliverByMin: s.DeliverByMin, Priorities: s.Priorities, XClient: xclientNames,
		Limits: smtp.Limits{MailMax: s.limits.Messages, RcptMax: s.limits.Recipients},
	}
	if x.Limits == (smtp.Limits{}) {
		x.Set = x.Set.Without(smtp.ExtLimits)
	}
	if set.Has(smtp.ExtFutureRelease) {
		x.HoldMax = s.holdMax()
		x.HoldUntilMax = time.Now().Add(x.HoldMax)
	}
	return x
}

func (s *Server) holdMax() time.Duration {
	if s.HoldMax > 0 {
		return s.HoldMax
	}
	return week
}
