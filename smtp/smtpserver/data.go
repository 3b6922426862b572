package smtpserver

import (
	"errors"
	"io"
	"os"
	"slices"

	"github.com/posthouse/posthouse/smtp"
)

// data takes the text up to the final dot (RFC 5321, 4.1.1.4).
func (c *Conn) data() {
	if !c.consentsToText() {
		return
	}
	c.reply(smtp.VerbDATA, &smtp.Reply{Code: smtp.CodeStartData, Text: "End data with <CRLF>.<CRLF>"})
	c.beginText()
	body := c.reader.Dot(smtp.TextLimits{Size: c.server.limits.MessageSize, Line: c.server.limits.TextLine})
	replies, err := c.handOver(body)
	fault := c.discard(err != nil, body.Drain)
	c.pauseText()
	c.conclude(smtp.Dot, true, replies, c.verdict(err, fault))
	c.leaveUnread(fault)
}

// beginText makes the limits on text rule over what is read, from the start of a
// message on.
func (c *Conn) beginText() {
	c.text = textClock{on: true, limits: &c.server.limits}
	c.beginTold()
}

// pauseText lets the limits on text rest, at its end or between two chunks of it.
func (c *Conn) pauseText() {
	c.text.on = false
	c.endTold()
}

// resumeText ends what pauseText began.
func (c *Conn) resumeText() {
	c.text.on = true
	c.beginTold()
}

// verdict returns why a text is not accepted, nil if it is. err is what the
// Handler returned, fault what was wrong with the text. The fault goes first,
// unless it is that the rest of the text was too long to be thrown away: that
// follows from a refusal, which says more.
func (c *Conn) verdict(err, fault error) error {
	switch {
	case fault == nil:
		return err
	case errors.Is(fault, errDiscard) && isTextFault(err):
		return c.faulty(err)
	case errors.Is(fault, errDiscard) && err != nil:
		return err
	}
	return c.faulty(fault)
}

// isTextFault reports whether a Handler returned what its body ended in.
func isTextFault(err error) bool {
	return errors.Is(err, smtp.ErrTooLarge) || errors.Is(err, smtp.ErrBareCR) ||
		errors.Is(err, smtp.ErrBareLF) || errors.Is(err, smtp.ErrLineTooLong)
}

// leaveUnread ends the connection if the rest of a text was too long to be
// thrown away: it would be taken for commands.
func (c *Conn) leaveUnread(fault error) {
	if errors.Is(fault, errDiscard) {
		c.closing, c.unreadText = true, true
		c.over(fault)
	}
}

// discard finds the end of a text with drain, which reads what the Handler did not
// take. How much a session may have thrown away like that is limited, so that
// nobody can keep the server busy with it.
func (c *Conn) discard(refused bool, drain func() error) error {
	before := c.text.octets
	if budget := c.server.limits.Discard; budget != none {
		if refused {
			budget -= c.discarded
		}
		c.text.most = before + max(budget, 1)
	}
	err := drain()
	if refused || err != nil {
		c.discarded += c.text.octets - before
	}
	c.text.most = 0
	return err
}

// handOver gives the text to the transaction, which ends with it. Without an
// error it returns one reply for all recipients, or one for each.
func (c *Conn) handOver(body io.Reader) ([]*smtp.Reply, error) {
	tx := c.tx
	c.tx = nil // from here on it is the Handler's to end
	each, ok := tx.(EachTransaction)
	if !ok || !c.server.LMTP && !c.params.PRDR {
		r, err := tx.Data(c.ctx, body)
		return []*smtp.Reply{orAccepted(r)}, err
	}
	given, err := each.DataEach(c.ctx, body)
	if n := c.dialogue.Recipients(); err == nil && len(given) != n {
		return nil, errors.New("DataEach returned the wrong number of replies")
	}
	var replies []*smtp.Reply
	for _, r := range given {
		replies = append(replies, orAccepted(r))
	}
	return replies, err
}

// orAccepted stands a plain 250 in for a nil reply.
func orAccepted(r *smtp.Reply) *smtp.Reply {
	if r != nil {
		return r
	}
	return &smtp.Reply{Code: smtp.CodeOK, Enhanced: smtp.EnhancedCode{2, 0, 0}, Text: "Message accepted"}
}

// conclude answers the end of the text, with the Handler's replies or with err,
// and ends the transaction. A client of LMTP expects a reply for each recipient,
// but only if this is the last of the text: a chunk before that has one reply
// (RFC 2033, 4.2 and 4.3).
func (c *Conn) conclude(v smtp.Verb, last bool, replies []*smtp.Reply, err error) {
	if err != nil {
		replies = []*smtp.Reply{c.asReply(err)}
	}
	switch closing := replies[0].Code == smtp.CodeUnavailable; {
	case len(replies) == 1 && c.server.LMTP && last && !closing:
		c.final(v, slices.Repeat(replies, c.dialogue.Recipients())...)
	case c.server.LMTP:
		c.final(v, replies...)
	default:
		c.overall(v, replies)
	}
	c.endTransaction()
}

// overall answers a transaction of SMTP: with a reply for each recipient if
// they differ (PRDR), and one for the whole, positive if any of them is.
func (c *Conn) overall(v smtp.Verb, replies []*smtp.Reply) {
	whole, differ := replies[0], false
	for _, r := range replies[1:] {
		differ = differ || r.Code != replies[0].Code
		if r.Code.Positive() && !whole.Code.Positive() {
			whole = r
		}
	}
	if differ {
		c.reply(v, &smtp.Reply{Code: smtp.CodePerRecipient, Text: "A reply for each recipient follows"})
		for _, r := range replies {
			c.reply(v, r)
		}
	}
	c.final(v, whole)
}

// final sends the replies that end a transaction. If one of them accepts the
// message, the client's errors so far are forgotten.
func (c *Conn) final(v smtp.Verb, replies ...*smtp.Reply) {
	yes, never := false, false
	for _, r := range replies {
		yes = c.reply(v, r) || yes
		never = never || r.Code.Permanent()
	}
	switch {
	case yes:
		c.errors = 0
	case never:
		c.refused()
	}
}

// faulty returns the reply to a text that is at fault, or did not come whole.
func (c *Conn) faulty(fault error) *smtp.Reply {
	bad, gone := smtp.EnhancedCode{5, 6, 0}, smtp.EnhancedCode{4, 4, 2}
	switch {
	case errors.Is(fault, smtp.ErrTooLarge):
		return tooLarge(c.server.limits.MessageSize)
	case errors.Is(fault, smtp.ErrBareCR), errors.Is(fault, smtp.ErrBareLF):
		return smtp.Replyf(smtp.CodeFailed, bad, "%v: lines of a message end with CRLF, and have neither inside", fault)
	case errors.Is(fault, smtp.ErrLineTooLong):
		return smtp.Replyf(smtp.CodeFailed, bad,
			"A line of the message is longer than %d octets", c.server.limits.TextLine)
	case errors.Is(fault, errDiscard):
		return smtp.Replyf(smtp.CodeUnavailable, smtp.EnhancedCode{4, 7, 0}, "Too much refused text")
	case os.IsTimeout(fault) && c.text.expired:
		return smtp.Replyf(smtp.CodeUnavailable, gone, "You send too slowly")
	case os.IsTimeout(fault):
		return smtp.Replyf(smtp.CodeUnavailable, gone, "You took too long")
	}
	c.lost(fault)
	return smtp.Replyf(smtp.CodeUnavailable, gone, "Connection lost")
}
