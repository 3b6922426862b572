package dsn

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// The first part of a report, for people.

const (
	textWidth = 72
	// clipped is how much of what others have said is told, in octets.
	clipped = 800
)

// subject is what the report's own subject says.
func (r *Report) subject() string {
	var s string
	switch r.worst() {
	case mail.ReportFailed:
		s = "Not delivered"
	case mail.ReportDelayed:
		s = "Delayed, not delivered yet"
	case mail.ReportDelivered:
		s = "Delivered"
	default:
		s = "Sent on"
	}
	if title := clip(clean(r.Subject), 200); title != "" {
		return s + ": " + title
	}
	return s
}

// text is the first part: lines of at most 72 columns where words allow it,
// ended by "\n".
func (r *Report) text() string {
	var t writer
	t.para("", "This is the mail system at "+clean(r.MTA)+".")
	t.blank()
	t.para("", r.opening())
	t.blank()
	t.fact("Subject", r.Subject)
	t.date("Received from you", r.Arrived)
	t.fact("Our name for it", r.Through)
	for i := range r.Recipients {
		t.blank()
		t.recipient(&r.Recipients[i])
	}
	t.blank()
	t.para("", r.closing())
	return t.String()
}

func (r *Report) opening() string {
	them := "this recipient"
	if len(r.Recipients) > 1 {
		them = "these recipients"
	}
	if r.mixed() {
		return "This is what has become of the message that you sent to " + them + ":"
	}
	switch r.worst() {
	case mail.ReportFailed:
		return "The message that you sent could not be delivered to " + them + ", and will not be tried again:"
	case mail.ReportDelayed:
		return "The message that you sent has not been delivered to " + them + " yet. You need not send it again: we go on trying."
	case mail.ReportDelivered:
		return "You asked to be told: the message that you sent has been delivered to " + them + "."
	}
	return "You asked to be told: the message that you sent to " + them + " has been passed on. You may hear nothing more of it."
}

// mixed reports whether the recipients have not all fared alike.
func (r *Report) mixed() bool {
	for _, to := range r.Recipients {
		if to.Action != r.Recipients[0].Action {
			return true
		}
	}
	return false
}

func (r *Report) closing() string {
	s := "What follows is the same for programs"
	if r.worst() == mail.ReportFailed {
		return s + ", and the message, or its header, for you to recognize it. If you need help then send this whole report to " +
			clean(r.From.String()) + "."
	}
	return s + ", and the header of the message."
}

// writer puts text together.
type writer struct{ strings.Builder }

func (t *writer) blank() { t.WriteByte('\n') }

func (t *writer) fact(name, value string) {
	if value = clip(clean(value), clipped); value != "" {
		t.para("  ", name+": "+value)
	}
}

func (t *writer) date(name string, at time.Time) {
	if !at.IsZero() {
		t.fact(name, at.Format("Monday, 2 January 2006, 15:04 -0700"))
	}
}

// recipient tells what became of one recipient, why, and what can be done.
func (t *writer) recipient(to *Recipient) {
	t.para("", "<"+readable(to.Final.Addr)+">")
	if o := to.Original; o.Addr != "" && !strings.EqualFold(o.Addr, to.Final.Addr) {
		t.para("  ", "(you wrote to "+readable(o.Addr)+")")
	}
	switch to.Action {
	case mail.ReportDelivered:
		t.para("  ", "It is in the mailbox.")
		return
	case mail.ReportRelayed:
		t.para("  ", "It was taken over by "+orElse(clean(to.Remote), "the next mail system")+", which does not report what becomes of it.")
		return
	case mail.ReportExpanded:
		t.para("  ", "The address stands for several, and the message was sent on to all of them.")
		return
	}
	e := explain(to.Status, to.Action)
	t.para("  ", e.why)
	t.para("  ", e.advice)
	t.date("We go on trying until", to.Until)
	if said := clip(clean(to.Diagnostic.Text), clipped); said != "" && to.Diagnostic.Type != ourWords {
		t.para("  ", orElse(clean(to.Remote), "The other mail system")+" said:")
		t.para("      ", said)
	} else if said != "" {
		t.para("  ", "In technical words: "+said)
	}
}

// readable is an address as people write it.
func readable(addr string) string {
	if p, err := smtp.ParseMailbox(addr); err == nil {
		addr = p.ToUnicode().String()
	}
	return clip(clean(addr), clipped)
}

func orElse(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// para writes text in lines, each with an indent.
func (t *writer) para(indent, s string) {
	col := 0
	for word := range strings.FieldsSeq(s) {
		n := utf8.RuneCountInString(word)
		switch {
		case col == 0:
			t.WriteString(indent)
			col = len(indent)
		case col+1+n > textWidth:
			t.WriteString("\n" + indent)
			col = len(indent)
		default:
			t.WriteByte(' ')
			col++
		}
		t.WriteString(word)
		col += n
	}
	if col > 0 {
		t.WriteByte('\n')
	}
}

// explanation is what a status means to somebody who sent a message.
type explanation struct{ why, advice string }

// explain finds words for a status: for subject and detail, or for the subject.
func explain(code smtp.EnhancedCode, a mail.Action) explanation {
	e, ok := explanations[[2]int{code[1], code[2]}]
	if !ok {
		e, ok = explanations[[2]int{code[1], 0}]
	}
	if !ok {
		e = explanations[[2]int{0, 0}]
	}
	switch {
	case a == mail.ReportDelayed && code[1] != 2 && code[1] != 3 && code[1] != 4:
		return explanation{why: "The other mail system does not take it for now."}
	case a == mail.ReportDelayed:
		e.advice = ""
	case code[0] == 4 && (code[1] == 0 || code[1] == 7):
		e.why = "The other mail system put the message off each time it was tried, for as long as it makes sense."
	case code[0] == 4 && code[2] != 7:
		e.why += " It was tried again for as long as it makes sense."
	}
	return e
}

const (
	adviceAddress = "Look for a typing error in the address. If there is none, ask the person for the right one in some other way."
	adviceThem    = "You can try again later, or tell the person in some other way: only those who look after that mail system can change it."
	adviceAgain   = "You can send it again later."
)

// explanations are by subject and detail of RFC 3463; a detail of 0 stands for
// those that are not listed.
var explanations = map[[2]int]explanation{
	{0, 0}:  {"The other mail system did not take the message.", "What it said may tell why."},
	{1, 0}:  {"There is something wrong with the address.", adviceAddress},
	{1, 1}:  {"There is no such mailbox there.", adviceAddress},
	{1, 2}:  {"There is no such mail system: what stands behind the @ does not exist, or takes no mail.", adviceAddress},
	{1, 3}:  {"The address is not written as an address must be.", adviceAddress},
	{1, 4}:  {"The address could mean several mailboxes.", adviceAddress},
	{1, 6}:  {"The mailbox has moved, and nobody said where to.", "Ask the person for the new address in some other way."},
	{1, 7}:  {"The other mail system does not accept your own address as a sender.", "Ask those who look after your own mail."},
	{1, 8}:  {"The other mail system does not know the domain of your own address.", "Ask those who look after your own mail."},
	{1, 10}: {"That domain says that it takes no mail at all.", adviceAddress},
	{2, 0}:  {"There is something wrong with the mailbox.", adviceThem},
	{2, 1}:  {"The mailbox is switched off.", "Tell the person in some other way."},
	{2, 2}:  {"The mailbox is full.", "Tell the person in some other way. There is room again when something has been thrown away there."},
	{2, 3}:  {"The message is too large for the mailbox.", "Send it in smaller parts, or put large files somewhere to be fetched."},
	{2, 4}:  {"The mailing list there does not work.", adviceThem},
	{3, 0}:  {"There is something wrong with the other mail system.", adviceThem},
	{3, 1}:  {"The other mail system has no room left.", adviceAgain},
	{3, 2}:  {"The other mail system takes no mail now.", adviceAgain},
	{3, 4}:  {"The message is too large for the other mail system.", "Send it in smaller parts, or put large files somewhere to be fetched."},
	{3, 5}:  {"A mail system is not set up as it should be.", adviceThem},
	{4, 0}:  {"The other mail system could not be reached.", adviceAgain},
	{4, 1}:  {"The other mail system does not answer.", adviceAgain},
	{4, 2}:  {"The connection to the other mail system broke.", adviceAgain},
	{4, 4}:  {"We could not find out which mail system to bring it to.", adviceAddress},
	{4, 6}:  {"The message went round in a circle between mail systems.", adviceThem},
	{4, 7}:  {"It was tried for as long as it makes sense, in vain.", adviceAgain},
	{5, 0}:  {"The two mail systems did not understand each other.", adviceThem},
	{5, 3}:  {"There were too many recipients.", "Send it to fewer people at a time."},
	{6, 0}:  {"The other mail system cannot deal with what is in the message.", "Send it as plain text, or in another format."},
	{6, 7}:  {"The other mail system does not know addresses with such letters.", "Use an address in plain Latin letters, if there is one."},
	{7, 0}:  {"The other mail system does not accept the message, for reasons of its own.", "What it said may tell why. Those who look after your own mail may be able to help."},
	{7, 1}:  {"The other mail system refuses the message.", "What it said may tell why. Those who look after your own mail may be able to help."},
	{7, 2}:  {"You may not write to that mailing list.", "Ask those who run the list."},
	{7, 10}: {"The message may only travel encrypted, and the other mail system does not do that.", adviceThem},
	{7, 13}: {"The mailbox is switched off.", "Tell the person in some other way."},
	{7, 23}: {"The other mail system doubts that the message is from you (SPF).", "Ask those who look after your own mail."},
	{7, 26}: {"The other mail system doubts that the message is from you.", "Ask those who look after your own mail."},
	{7, 28}: {"You have sent too much mail in a short time.", adviceAgain},
	{7, 30}: {"The message was to travel only where encryption is promised, and the next mail system does not promise it.", adviceThem},
}
