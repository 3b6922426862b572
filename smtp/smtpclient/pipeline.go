package smtpclient

import (
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/smtp"
)

// groupSize bounds the octets of commands that are written before their replies
// are read. Both they and the replies fit the buffers of the two systems, so
// that neither side waits to write while the other does too (RFC 2920, 3.1).
const groupSize = 4096

// owed is a reply that is still to come.
type owed struct {
	verb smtp.Verb
	to   *Outcome // of RCPT
}

// envelope says MAIL and RCPT, and then last if it is not nil, in as few groups
// as the server allows, and hears the replies. It returns false if there is
// nobody to send the text to.
func (t *transaction) envelope(last smtp.Command) bool {
	if t.c.open && !t.tell(smtp.Rset{}, nil) {
		return false
	}
	if !t.tell(t.mail, nil) {
		return false
	}
	for i := range t.res.Recipients {
		o := &t.res.Recipients[i]
		if o.Err != ErrNotSent {
			continue
		}
		if !t.tell(smtp.Rcpt{To: t.path(o.To), Params: t.rcptParams(i)}, o) {
			return false
		}
	}
	hopeless := len(t.owed) == 0 && t.accepted == 0
	if last != nil && !hopeless && !t.tell(last, nil) {
		return false
	}
	return t.settle() && t.accepted > 0
}

// tell says a command; behind BDAT it puts the whole text. If the group is full,
// or the server does not offer PIPELINING, it settles. A command that cannot be
// said is refused. tell returns false if there is no use in saying more.
func (t *transaction) tell(cmd smtp.Command, to *Outcome) bool {
	if t.c.dead != nil {
		return false
	}
	if err := t.c.say(cmd); err != nil {
		return t.cannotSay(cmd, to, err)
	}
	if to != nil {
		to.asked = true
	}
	if cmd.Verb() == smtp.VerbBDAT {
		t.c.out = append(t.c.out, t.text.whole...)
		t.c.trace.wrote(len(t.text.whole))
		t.flown = true
	} else {
		t.owed = append(t.owed, owed{cmd.Verb(), to})
	}
	if t.c.ext.Has(smtp.ExtPipelining) && len(t.c.out) < groupSize {
		return true
	}
	return t.settle()
}

// cannotSay refuses what a command was for, because err is wrong with it. It returns
// whether to go on with the next command.
func (t *transaction) cannotSay(cmd smtp.Command, to *Outcome, err error) bool {
	r := refuse(smtp.CodeSyntax, smtp.EnhancedCode{5, 5, 4}, err)
	if to != nil {
		to.refuse(cmd.Verb(), r)
		return true
	}
	t.refuseAll(cmd.Verb(), r)
	t.settle() // RSET, if it was said before MAIL, has its reply too
	return false
}

// settle writes what was said and hears the replies that are owed. The reply to
// BDAT is not among them: the caller hears it. settle returns false if the
// connection is gone, or MAIL was refused.
func (t *transaction) settle() bool {
	t.c.flush(smtp.VerbMAIL)
	t.committed = t.flown && t.c.late == nil
	for _, o := range t.owed {
		r, err := t.c.hear(o.verb)
		if err != nil {
			return false
		}
		t.heard(o, r)
	}
	t.owed = t.owed[:0]
	return t.c.dead == nil && !t.refused
}

// heard takes note of a reply.
func (t *transaction) heard(o owed, r *smtp.Reply) {
	switch o.verb {
	case smtp.VerbRSET:
		if !r.Code.Positive() {
			_ = t.c.fail(o.verb, refusal(o.verb, r))
			return
		}
		t.c.open = false
	case smtp.VerbMAIL:
		t.res.Mail = r
		t.refused = !r.Code.Positive()
		t.c.open = !t.refused
		if t.refused {
			t.decideAll(o.verb, r)
		}
	case smtp.VerbRCPT:
		t.heardRcpt(o.to, r)
	case smtp.VerbDATA:
		t.start = r
	}
}

func (t *transaction) heardRcpt(o *Outcome, r *smtp.Reply) {
	if t.refused {
		return // the reply to RCPT follows from that to MAIL
	}
	o.Rcpt = r
	if r.Code.Positive() {
		t.accepted++
		return
	}
	if sabotage.Is("a refused recipient is taken for accepted") {
		o.asked = true
		t.accepted++
		return
	}
	o.decide(smtp.VerbRCPT, r)
}
