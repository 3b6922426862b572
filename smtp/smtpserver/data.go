package smtpserver

import (
	"errors"
	"io"
	"os"

	"github.com/posthouse/posthouse/smtp"
)

// data takes the text up to the final dot (RFC 5321, 4.1.1.4).
func (c *Conn) data() {
	c.reply(smtp.VerbDATA, &smtp.Reply{Code: smtp.CodeStartData, Text: "End data with <CRLF>.<CRLF>"})
	c.beginText(&c.server.limits)
	body := c.reader.Dot(smtp.TextLimits{Size: c.server.limits.MessageSize, Line: c.server.limits.TextLine})
	replies, err := c.handOver(body)
	fault := c.discard(err != nil, body.Drain)
	c.pauseText()
	c.conclude(smtp.Dot, replies, err, fault)
}

// discard finds the end of a text with drain. What was refused is read only up
// to a limit, so that nobody can keep us busy with it.
func (c *Conn) discard(refused bool, drain func() error) error {
	before, budget := c.text.octets, c.server.limits.Discard
	if refused && budget != none {
		c.text.most = max(before+budget-c.discarded, 1)
	}
	err := drain()
	if refused {
		c.discarded += c.text.octets - before
	}
	c.text.most = 0
	return err
}

// handOver gives the text to the transaction, which ends with it.
func (c *Conn) handOver(body io.Reader) ([]*smtp.Reply, error) {
	n, params := c.rcpts, c.params
	tx := c.tx
	c.tx = nil // from here on it is the Handler's to end
	if each, ok := tx.(EachTransaction); ok && (c.server.LMTP || params.PRDR) {
		replies, err := each.DataEach(c.ctx, body)
		if err == nil && len(replies) != n {
			err = errors.New("DataEach returned the wrong number of replies")
		}
		return replies, err
	}
	r, err := tx.Data(c.ctx, body)
	return []*smtp.Reply{r}, err
}

// conclude answers the end of the text: with what was wrong with it, or with
// what the Handler said.
func (c *Conn) conclude(v smtp.Verb, replies []*smtp.Reply, err, fault error) {
	switch {
	case fault != nil:
		replies = []*smtp.Reply{c.faulty(fault)}
	case err != nil:
		replies = []*smtp.Reply{c.asReply(err)}
	}
	for i, r := range replies {
		if r == nil {
			replies[i] = &smtp.Reply{Code: smtp.CodeOK, Enhanced: smtp.EnhancedCode{2, 0, 0}, Text: "Message accepted"}
		}
	}
	switch {
	case replies[0].Code == smtp.CodeUnavailable:
		c.reply(v, replies[0])
	case c.server.LMTP:
		for i := range c.rcpts {
			c.final(v, replies[min(i, len(replies)-1)])
		}
	case c.params.PRDR && len(replies) > 1:
		c.perRecipient(v, replies)
	default:
		c.final(v, replies[0])
	}
	c.endTransaction()
}

// final sends a reply that ends a transaction.
func (c *Conn) final(v smtp.Verb, r *smtp.Reply) {
	if r.Code.Positive() && v.Permits(r.Code) {
		c.errors = 0
		c.reply(v, r)
		return
	}
	c.refuse(v, r)
}

// perRecipient answers a transaction with PRDR: a reply for each recipient, if
// they differ, and one for the whole, positive if any of them is.
func (c *Conn) perRecipient(v smtp.Verb, replies []*smtp.Reply) {
	overall, differ := replies[0], false
	for _, r := range replies[1:] {
		differ = differ || r.Code != replies[0].Code
		if r.Code.Positive() && !overall.Code.Positive() {
			overall = r
		}
	}
	if differ {
		c.reply(v, &smtp.Reply{Code: smtp.CodePerRecipient, Text: "A reply for each recipient follows"})
		for _, r := range replies {
			c.reply(v, r)
		}
	}
	c.final(v, overall)
}

// faulty is the reply to a text that cannot be accepted whatever the Handler
// says.
func (c *Conn) faulty(fault error) *smtp.Reply {
	switch {
	case errors.Is(fault, smtp.ErrTooLarge):
		return tooLarge(c.server.limits.MessageSize)
	case errors.Is(fault, smtp.ErrBareCR), errors.Is(fault, smtp.ErrBareLF):
		return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, "%v: lines of a message end with CRLF, and have neither inside", fault)
	case errors.Is(fault, smtp.ErrLineTooLong):
		return smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, "A line of the message is longer than %d octets", c.server.limits.TextLine)
	case errors.Is(fault, errDiscard):
		return &smtp.Reply{Code: smtp.CodeUnavailable, Enhanced: smtp.EnhancedCode{4, 7, 0}, Text: "Too much refused text"}
	case os.IsTimeout(fault) && c.text.expired:
		return &smtp.Reply{Code: smtp.CodeUnavailable, Enhanced: smtp.EnhancedCode{4, 4, 2}, Text: "You send too slowly"}
	case os.IsTimeout(fault):
		return &smtp.Reply{Code: smtp.CodeUnavailable, Enhanced: smtp.EnhancedCode{4, 4, 2}, Text: "You took too long"}
	}
	c.lost(fault)
	return &smtp.Reply{Code: smtp.CodeUnavailable, Enhanced: smtp.EnhancedCode{4, 4, 2}, Text: "Connection lost"}
}
