package smtpserver

import (
	"errors"
	"log/slog"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

// answer sends a reply of the Session and reports whether it is a positive one. A
// permanent refusal is counted; a temporary one is not, since a client is not to
// blame for our full disk.
func (c *Conn) answer(v smtp.Verb, r *smtp.Reply) bool {
	yes := c.reply(v, r)
	if !yes && r.Code.Permanent() {
		c.refused()
	}
	return yes
}

// refuse sends a negative reply and counts it.
func (c *Conn) refuse(v smtp.Verb, r *smtp.Reply) { c.answer(v, r) }

// refused counts a refusal: a client that is refused too often is told 421.
func (c *Conn) refused() {
	if c.closing {
		return
	}
	c.errors++
	if most := c.server.limits.Errors; most != none && c.errors >= most {
		c.bye(smtp.EnhancedCode{4, 7, 0}, "Too many errors")
	}
}

// bye tells the client 421 and ends the connection, unless it is ended already.
func (c *Conn) bye(e smtp.EnhancedCode, text string) {
	if c.closing {
		return
	}
	c.reply(smtp.VerbUnknown, &smtp.Reply{Code: smtp.CodeUnavailable, Enhanced: e, Text: text})
	c.closing = true
	c.log(slog.LevelInfo, "connection closed by us", "reason", text)
}

// ok tells the client 250.
func (c *Conn) ok(v smtp.Verb, e smtp.EnhancedCode, text string) {
	c.reply(v, &smtp.Reply{Code: smtp.CodeOK, Enhanced: e, Text: text})
}

// reply writes a reply to a verb and reports whether it is a positive one.
func (c *Conn) reply(v smtp.Verb, r *smtp.Reply) bool {
	r = c.spoken(v, r)
	if !v.Permits(r.Code) || !r.Code.Valid() {
		r = c.illegal(v, r)
	}
	full := smtp.Reply{Code: r.Code, Enhanced: r.Enhanced, Text: r.Text}
	switch r.Code {
	case smtp.CodeReady, smtp.CodeClosing, smtp.CodeUnavailable:
		full.Text = strings.TrimSpace(c.server.hostname + " " + r.Text) // RFC 5321, 4.2.2
	}
	if !c.enhances(r) {
		full.Enhanced = smtp.EnhancedCode{}
	}
	from := len(c.out)
	c.out = full.Append(c.out, c.params.UTF8 || c.askedUTF8)
	c.traceOut(r.Code, c.out[from:])
	if r.Code == smtp.CodeUnavailable {
		c.closing = true
		c.over(r)
	}
	if len(c.out) > flushSize {
		if err := c.flush(); err != nil {
			c.lost(err)
		}
	}
	return r.Code.Positive()
}

// spoken is a reply in the words of the Session, if it has any.
func (c *Conn) spoken(v smtp.Verb, r *smtp.Reply) *smtp.Reply {
	s, ok := c.session.(Speaker)
	if !ok || !r.Code.Positive() {
		return r
	}
	said := s.Speak(v, r)
	if said == nil || said.Code/100 != r.Code/100 || !v.Permits(said.Code) {
		return r
	}
	switch v {
	case smtp.VerbHELO, smtp.VerbEHLO, smtp.VerbLHLO:
		first, extensions, several := strings.Cut(r.Text, "\n")
		host, _, _ := strings.Cut(first, " ")
		text := host + " " + strings.ReplaceAll(said.Text, "\n", " ")
		if several {
			text += "\n" + extensions
		}
		return &smtp.Reply{Code: said.Code, Text: text}
	}
	return said
}

// illegal stands in for a reply that may not answer the verb, a mistake of the
// Handler: the client is told 451, or 421 where not even that is allowed.
func (c *Conn) illegal(v smtp.Verb, r *smtp.Reply) *smtp.Reply {
	c.log(slog.LevelError, "reply is not legal for its command", "command", v, "reply", r.Error())
	if v.Permits(smtp.CodeLocalError) {
		return localError(smtp.CodeLocalError)
	}
	return localError(smtp.CodeUnavailable)
}

// enhances reports whether the reply has its enhanced code with it: after EHLO
// or LHLO, and of the same class as its code (RFC 2034, 4).
func (c *Conn) enhances(r *smtp.Reply) bool {
	switch c.dialogue.Hello() {
	case smtp.VerbHELO, smtp.VerbUnknown:
		return false
	}
	return r.Enhanced[0] == int(r.Code)/100 && c.grammar.Offers.Has(smtp.ExtEnhancedStatusCodes)
}

// asReply turns an error of a Handler into the refusal that the client is told.
// A reply that refuses nothing is as much of a mistake as any other error.
func (c *Conn) asReply(err error) *smtp.Reply {
	if r := refusal(err); r != nil {
		return r
	}
	c.log(slog.LevelError, "error in the handler", "error", err)
	return localError(smtp.CodeLocalError)
}

// refusal returns the negative reply in err; nil: there is none.
func refusal(err error) *smtp.Reply {
	var r *smtp.Reply
	if errors.As(err, &r) && r != nil && !r.Code.Positive() {
		return r
	}
	return nil
}

func localError(code smtp.Code) *smtp.Reply {
	return &smtp.Reply{Code: code, Enhanced: smtp.EnhancedCode{4, 3, 0}, Text: "Local error in processing"}
}
