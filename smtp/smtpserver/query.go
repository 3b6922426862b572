package smtpserver

import (
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

// vrfy answers VRFY (RFC 5321, 3.5). Without a Verifier it does not lie: it
// says that it did not look.
func (c *Conn) vrfy(cmd smtp.Vrfy) {
	var r *smtp.Reply
	var err error
	if s, ok := c.session.(Verifier); ok {
		r, err = s.Verify(c.ctx, cmd.User)
	}
	if err != nil {
		r = c.asReply(err)
	}
	if r == nil {
		r = &smtp.Reply{Code: smtp.CodeCannotVerify, Enhanced: smtp.EnhancedCode{2, 5, 0}, Text: "Cannot verify the user, but mail for it will be tried"}
	}
	c.answerQuery(smtp.VerbVRFY, r, cmd.UTF8)
}

// expn answers EXPN (RFC 5321, 3.5).
func (c *Conn) expn(cmd smtp.Expn) {
	s, ok := c.session.(Expander)
	if !ok {
		c.refuse(smtp.VerbEXPN, smtp.Replyf(smtp.CodeNotImplemented, smtp.EnhancedCode{5, 5, 1}, "Lists are not expanded here"))
		return
	}
	r, err := s.Expand(c.ctx, cmd.List)
	if err != nil {
		r = c.asReply(err)
	}
	if r == nil {
		r = &smtp.Reply{Code: smtp.CodeCannotVerify, Enhanced: smtp.EnhancedCode{2, 5, 0}, Text: "Cannot expand the list, but mail for it will be tried"}
	}
	c.answerQuery(smtp.VerbEXPN, r, cmd.UTF8)
}

func (c *Conn) answerQuery(v smtp.Verb, r *smtp.Reply, utf8 bool) {
	c.askedUTF8 = utf8
	c.answer(v, r)
	c.askedUTF8 = false
}

// help answers HELP: with what the Session says, or with what the table of
// verbs says.
func (c *Conn) help(cmd smtp.Help) {
	var r *smtp.Reply
	var err error
	if s, ok := c.session.(Helper); ok {
		r, err = s.Help(c.ctx, cmd.Topic)
	}
	if err != nil {
		r = c.asReply(err)
	}
	if r == nil {
		r = c.helpOn(cmd.Topic)
	}
	c.answer(smtp.VerbHELP, r)
}

func (c *Conn) helpOn(topic string) *smtp.Reply {
	switch strings.ToUpper(topic) {
	case "":
		return smtp.Replyf(smtp.CodeHelp, smtp.EnhancedCode{2, 0, 0}, "Commands: %s\nHELP <command> tells more, HELP STATUS how this session stands", strings.Join(c.verbs(), " "))
	case "STATUS":
		return smtp.Replyf(smtp.CodeSystemStatus, smtp.EnhancedCode{2, 0, 0}, "%s", c.status())
	}
	v := smtp.ParseVerb(topic, false)
	for _, info := range smtp.Verbs {
		if info.Verb == v && v != smtp.VerbUnknown {
			return smtp.Replyf(smtp.CodeHelp, smtp.EnhancedCode{2, 0, 0}, "%s\n%s (%s)", info.Syntax, info.Summary, info.Source)
		}
	}
	return smtp.Replyf(smtp.CodeParamNotImplemented, smtp.EnhancedCode{5, 5, 4}, "No help on this topic; HELP lists the commands")
}

// verbs lists the commands that can be used in this session.
func (c *Conn) verbs() []string {
	var names []string
	for _, info := range smtp.Verbs {
		if info.Syntax == "" || info.Verb == smtp.Dot || !c.speaks(info.Verb) {
			continue
		}
		names = append(names, info.Name)
	}
	return names
}

func (c *Conn) speaks(v smtp.Verb) bool {
	offers := c.grammar.Offers
	switch v {
	case smtp.VerbHELO, smtp.VerbEHLO:
		return !c.server.LMTP
	case smtp.VerbLHLO:
		return c.server.LMTP
	case smtp.VerbBDAT:
		return offers.Has(smtp.ExtChunking)
	case smtp.VerbSTARTTLS:
		return offers.Has(smtp.ExtStartTLS)
	case smtp.VerbAUTH:
		return offers.Has(smtp.ExtAuth)
	case smtp.VerbETRN:
		return offers.Has(smtp.ExtETRN)
	case smtp.VerbXCLIENT:
		return offers.Has(smtp.ExtXClient)
	case smtp.VerbEXPN:
		return offers.Has(smtp.ExtEXPN)
	}
	return true
}

// status tells a client what it could know anyway.
func (c *Conn) status() string {
	hello, secure, login := "nobody yet", "no TLS", "not logged in"
	if v := c.dialogue.Hello(); v != smtp.VerbUnknown {
		hello = c.hello + " by " + v.String()
	}
	if c.tls != nil {
		secure = "TLS"
	}
	if c.mechanism != "" {
		login = "logged in"
	}
	return fmt.Sprintf("%s talks with %s\n%s, %s, %s", c.server.hostname, hello, secure, login, c.transactionStatus())
}

func (c *Conn) transactionStatus() string {
	switch {
	case !c.dialogue.InTransaction():
		return "no transaction"
	case c.dialogue.Chunking():
		return fmt.Sprintf("text is coming for recipients: %d", c.dialogue.Recipients())
	}
	return fmt.Sprintf("a transaction with recipients: %d", c.dialogue.Recipients())
}
