package policy

import (
	"context"
	"fmt"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/smtp"
)

// Verdict is what is to be done with a message that is not refused.
type Verdict struct {
	Action Action // the severest that is done for anybody: Pass, Mark, Quarantine or Discard
	Junk   []bool // for each of Visit.To: he gets it as junk
	Top    []byte // header fields for the top of the message, each ended by CRLF
	// Text takes the place of what came in; nil: it stays as it is.
	Text     mail.Content
	From     *smtp.Path // takes the place of the sender; nil: it stays
	AddTo    []smtp.Rcpt
	RemoveTo []smtp.Path
	// Opinions are what was said, in order.
	Opinions []Heard
	// Changed tells in words what of the text and the envelope is changed.
	Changed []string
}

// Data is asked when the whole text has come.
func (h *Hearing) Data(ctx context.Context, v *Visit, content mail.Content) (*Verdict, error) {
	if len(h.sessions) == 0 {
		return &Verdict{Junk: make([]bool, len(v.To))}, nil
	}
	text, err := ReadText(content)
	if err != nil {
		return nil, err
	}
	d := &decision{Hearing: h, visit: v, Verdict: &Verdict{Junk: make([]bool, len(v.To))}}
	for _, to := range v.To {
		d.limits = append(d.limits, h.panel.limitOf(to))
	}
	d.before()
	text = d.unforge(text)
	for _, s := range h.sessions {
		o := Heard{Check: s.check, Stage: smtp.Dot, Opinion: s.Data(ctx, v, text)}
		if !o.Says() {
			continue
		}
		if o.Action.refuses() && d.refused(&o) {
			return nil, &Refusal{o}
		}
		text = d.hear(&o, text)
		if d.Action == Discard {
			break
		}
	}
	d.finish(text)
	return d.Verdict, nil
}

// decision is a verdict that is being made.
type decision struct {
	*Hearing
	*Verdict
	visit  *Visit
	limits []*Limit // of each recipient
	top    []byte
}

// before takes over what was said at the stages before.
func (d *decision) before() {
	for _, said := range [][]Heard{d.client.connect, d.client.hello, d.message.all} {
		for _, o := range said {
			d.take(&o)
		}
	}
	for i, to := range d.visit.To {
		if d.junk[to] {
			d.Junk[i] = true
			d.Action = max(d.Action, Quarantine)
		}
	}
}

// unforge leaves out the fields that claim to be what we found (RFC 8601, 5).
func (d *decision) unforge(text *Text) *Text {
	text, n := text.without(func(f message.RawField) bool { return senderauth.ClaimsToBe(f, d.panel.Hostname) })
	if n > 0 {
		d.Changed = append(d.Changed, fmt.Sprintf("removed %d Authentication-Results that claimed to be ours", n))
	}
	return text
}

// refused reports whether all recipients would have the message refused.
func (d *decision) refused(o *Heard) bool {
	if o.Firm {
		return true
	}
	for _, l := range d.limits {
		if !allows(l, o.Action) {
			return false
		}
	}
	return true
}

// hear takes an opinion of the text, and returns the text as it is changed by it.
func (d *decision) hear(o *Heard, text *Text) *Text {
	d.visit.Results = append(d.visit.Results, o.Results...)
	d.take(o)
	if o.Action.refuses() {
		return text
	}
	return text.Edit(&o.Edits)
}

// take does with the message what an opinion wants, as far as it may.
func (d *decision) take(o *Heard) {
	if o.Stage != smtp.VerbRCPT {
		d.act(o)
	}
	d.Opinions = append(d.Opinions, *o)
	if !o.Action.refuses() {
		d.edit(o)
	}
}

// act is for opinions that are about all recipients.
func (d *decision) act(o *Heard) {
	if o.Action == Discard && d.refused(o) {
		d.Action = Discard
		return
	}
	for i, l := range d.limits {
		if d.spared(i, o) {
			continue
		}
		if !allows(l, o.Action) {
			o.Limited = l
		}
		if junks(o.Action) && allows(l, Quarantine) {
			d.Junk[i] = true
			d.Action = max(d.Action, Quarantine)
		}
	}
	if o.Action != Pass {
		d.Action = max(d.Action, Mark)
	}
}

// spared: somebody gets mail whoever brings it.
func (d *decision) spared(i int, o *Heard) bool {
	return o.Stage != smtp.Dot && o.Action == Reject && isPostmaster(d.visit.To[i])
}

// edit collects what is changed.
func (d *decision) edit(o *Heard) {
	e := &o.Edits
	for i := range e.Top {
		d.top = append(d.top, e.Top[i].raw()...)
	}
	if e.From != nil {
		d.From = e.From
		d.Changed = append(d.Changed, fmt.Sprintf("%s: sender is <%s>", o.Check, e.From))
	}
	for i := range e.AddTo {
		d.AddTo = append(d.AddTo, e.AddTo[i])
		d.changed(i, len(e.AddTo), o.Check+": added <"+e.AddTo[i].To.String()+">")
	}
	for i, to := range e.RemoveTo {
		d.RemoveTo = append(d.RemoveTo, to)
		d.changed(i, len(e.RemoveTo), o.Check+": removed <"+to.String()+">")
	}
	if n := len(e.Fields); n > 0 {
		d.Changed = append(d.Changed, fmt.Sprintf("%s: changed %d fields", o.Check, n))
	}
	if e.Body != nil {
		d.Changed = append(d.Changed, o.Check+": replaced the body")
	}
}

// changed tells of the i-th of n changes of a kind; of many only the first ones.
func (d *decision) changed(i, n int, what string) {
	const told = 10
	switch {
	case i < told:
		d.Changed = append(d.Changed, what)
	case i == told:
		d.Changed = append(d.Changed, fmt.Sprintf("and %d more", n-told))
	}
}

// finish puts the fields of the house on top.
func (d *decision) finish(text *Text) {
	if d.Action == Quarantine && all(d.Junk) {
		d.Top = append(d.Top, junkField...)
	}
	if methods := d.visit.Results; len(methods) > 0 {
		d.Top = senderauth.Results{ID: d.panel.Hostname, Methods: methods}.AppendField(d.Top)
	}
	d.Top = append(d.Top, d.top...)
	if text.edited {
		d.Text = text
	}
}

// junkField tells the filters of mailboxes elsewhere that mail is junk.
const junkField = "X-Spam-Flag: YES\r\n"

func all(list []bool) bool {
	for _, is := range list {
		if !is {
			return false
		}
	}
	return len(list) > 0
}
