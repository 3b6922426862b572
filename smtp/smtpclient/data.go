package smtpclient

import (
	"bytes"
	"errors"

	"github.com/posthouse/posthouse/smtp"
)

// sendData sends the text with DATA (RFC 5321, 4.1.1.4).
func (t *transaction) sendData() {
	wanted := t.envelope(smtp.Data{})
	switch {
	case t.c.dead != nil || t.start == nil:
	case !t.start.Code.Positive():
		t.decideAll(smtp.VerbDATA, t.start)
	case !wanted:
		t.sendNothing()
	default:
		t.sendDotted()
	}
}

// sendNothing ends a text that nobody is there to receive (RFC 2920, 3.1).
// Whatever the server says to it, nothing was sent.
func (t *transaction) sendNothing() {
	t.c.out = append(t.c.out, ".\r\n"...)
	t.c.flush(smtp.Dot)
	if _, err := t.c.hear(smtp.Dot); err == nil {
		t.c.open = false
	}
}

// sendDotted writes the text and its final dot, and hears what the server says.
func (t *transaction) sendDotted() {
	t.c.listen()
	err := t.writeDotted()
	if err != nil && t.c.late == nil {
		// The fault is on our side. The text has begun and cannot be taken
		// back, so the connection goes before the final dot.
		t.refuseAll(smtp.VerbDATA, textFault(err))
		_ = t.c.fail(smtp.VerbDATA, err)
		return
	}
	t.committed = err == nil
	t.hearFinal(smtp.Dot)
}

// textFault is the refusal of a text that cannot be read, or may not be sent.
func textFault(err error) *localRefusal {
	var already *localRefusal
	switch {
	case errors.As(err, &already):
		return already
	case errors.Is(err, smtp.ErrBareCR), errors.Is(err, smtp.ErrBareLF):
		return refuse(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, err)
	}
	return refuse(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, err)
}

func (t *transaction) writeDotted() error {
	out := &wire{c: t.c}
	if t.text.plain {
		return out.text(t.text.whole)
	}
	dots := smtp.NewDotWriter(out)
	if err := t.text.writeTo(t.c, dots); err != nil {
		return err
	}
	if err := dots.Close(); err != nil {
		return err
	}
	return out.flush()
}

// hearFinal hears the replies to the end of the text.
func (t *transaction) hearFinal(verb smtp.Verb) {
	switch {
	case t.c.d.LMTP && t.committed:
		t.hearEach(verb, false)
	default:
		t.hearOne(verb)
	}
	t.c.open = verb == smtp.VerbBDAT && t.anyRefused(verb)
}

// anyRefused reports whether a reply to verb was a refusal. After a refused
// BDAT only RSET tells where the server is (RFC 3030, 2).
func (t *transaction) anyRefused(verb smtp.Verb) bool {
	for i := range t.res.Recipients {
		if o := &t.res.Recipients[i]; o.Stage == verb && o.Err != nil {
			return true
		}
	}
	return false
}

// hearOne hears the reply that is for all recipients.
func (t *transaction) hearOne(verb smtp.Verb) {
	r, err := t.c.hear(verb)
	switch {
	case err != nil:
		return
	case r.Code.Positive() && !t.committed: // the server cannot have the whole text
		_ = t.c.fail(verb, unexpected(verb, r))
		return
	case r.Code == smtp.CodePerRecipient && t.mail.Params.PRDR:
		t.hearEach(verb, true)
		return
	case isIntermediate(r):
		_ = t.c.fail(verb, unexpected(verb, r))
		return
	}
	t.res.Final = r
	t.decideAll(verb, r)
	if t.c.late != nil {
		_ = t.c.fail(verb, t.c.late)
	}
}

// hearEach hears a reply for each recipient that was accepted (RFC 2033, 4.2).
// With PRDR one more reply follows, which can still refuse the message for all
// (draft-hall-prdr-00, 4.5).
func (t *transaction) hearEach(verb smtp.Verb, prdr bool) {
	replies := make([]*smtp.Reply, 0, t.accepted)
	for i := range t.res.Recipients {
		o := &t.res.Recipients[i]
		if o.Err != ErrNotSent {
			continue
		}
		r, err := t.c.hear(verb)
		switch {
		case err != nil:
			return
		case isIntermediate(r):
			_ = t.c.fail(verb, unexpected(verb, r))
			return
		case prdr && r.Code.Positive():
			replies = append(replies, r)
		default:
			o.decide(verb, r)
		}
	}
	if prdr {
		t.hearOverall(verb, replies)
	}
}

// hearOverall hears the last reply of PRDR. If it is positive, so are the
// replies that were kept for the recipients still open.
func (t *transaction) hearOverall(verb smtp.Verb, kept []*smtp.Reply) {
	r, err := t.c.hear(verb)
	if err != nil {
		return
	}
	if isIntermediate(r) {
		_ = t.c.fail(verb, unexpected(verb, r))
		return
	}
	t.res.Final = r
	t.undecided(func(o *Outcome) {
		own := r
		if r.Code.Positive() {
			own, kept = kept[0], kept[1:]
		}
		o.decide(verb, own)
	})
}

// wire gathers text and writes it in large pieces.
type wire struct{ c *Conn }

// pieceSize is how much text is gathered for one write. A text that is shorter
// leaves in one, together with its final dot.
const pieceSize = 64 << 10

// Write implements [io.Writer].
func (w *wire) Write(p []byte) (int, error) {
	if len(w.c.out)+len(p) > pieceSize {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	if len(p) >= pieceSize {
		return len(p), w.write(p)
	}
	w.c.out = append(w.c.out, p...)
	return len(p), nil
}

// text writes a whole text that needs no dots, and what ends it.
func (w *wire) text(whole []byte) error {
	end := ".\r\n"
	if len(whole) > 0 && !bytes.HasSuffix(whole, []byte("\r\n")) {
		end = "\r\n.\r\n"
	}
	if _, err := w.Write(whole); err != nil {
		return err
	}
	if _, err := w.Write([]byte(end)); err != nil {
		return err
	}
	return w.flush()
}

func (w *wire) flush() error {
	err := w.write(w.c.out)
	w.c.out = w.c.out[:0]
	return err
}

// write gives each piece the time of RFC 5321, 4.5.3.2.5. An error is kept: the
// server may have said why it went.
func (w *wire) write(p []byte) error {
	c := w.c
	for len(p) > 0 && c.late == nil {
		piece := p[:min(len(p), 4*pieceSize)]
		if c.late = c.writeWithin(c.d.Timeouts.block()); c.late == nil {
			_, c.late = c.nc.Write(piece)
			c.trace.wrote(len(piece))
		}
		p = p[len(piece):]
	}
	return c.late
}
