package intake

import (
	"bytes"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// header looks at the header of a message that is written to it, in any pieces.
// It needs no more memory for a large one, and looks at each octet once.
type header struct {
	Hops      int // Received fields
	Subject   string
	MessageID string
	// Loop: a Delivered-To field names somebody for whom mailbox says yes.
	Loop    bool
	mailbox func(smtp.Path) bool

	done bool
	cut  bool   // in the middle of a line
	part []byte // of the line that was cut
	kind wanted
	text []byte // of the field, if it is wanted
}

// wanted are the fields that are looked at.
type wanted int

const (
	unwanted wanted = iota
	received
	subject
	messageID
	deliveredTo
)

// maxField is how much of a field is looked at.
const maxField = 2000

// names are the fields that are looked at, with their colon.
var names = [...]string{received: "received:", subject: "subject:", messageID: "message-id:", deliveredTo: "delivered-to:"}

// Write looks at p. It never fails.
func (h *header) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && !h.done {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			h.piece(p, false)
			break
		}
		h.piece(p[:i+1], true)
		p = p[i+1:]
	}
	return n, nil
}

// End says that the message is at its end.
func (h *header) End() {
	if !h.done {
		h.field()
		h.done = true
	}
}

// piece is a line, or a part of one.
func (h *header) piece(p []byte, whole bool) {
	if !h.cut && whole {
		h.line(p)
		return
	}
	if room := maxField - len(h.part); room > 0 {
		h.part = append(h.part, p[:min(len(p), room)]...)
	}
	h.cut = !whole
	if whole {
		h.line(h.part)
		h.part = h.part[:0]
	}
}

// line is one line, as far as it is looked at.
func (h *header) line(l []byte) {
	switch {
	case l[0] == '\r' || l[0] == '\n':
		h.End()
	case l[0] == ' ' || l[0] == '\t':
		h.append(l)
	default:
		h.field()
		if h.kind = nameOf(l); h.kind != unwanted {
			h.append(l)
		}
	}
}

func (h *header) append(l []byte) {
	if h.kind != unwanted && h.kind != received && len(h.text) < maxField {
		h.text = append(h.text, l[:min(len(l), maxField-len(h.text))]...)
	}
}

// nameOf finds out which field a line begins.
func nameOf(l []byte) wanted {
	switch l[0] | 0x20 {
	case 'r', 's', 'm', 'd':
	default:
		return unwanted
	}
	for w, name := range names {
		if name != "" && len(l) >= len(name) && bytes.EqualFold(l[:len(name)], []byte(name)) {
			return wanted(w)
		}
	}
	return unwanted
}

// field is at the end of a field.
func (h *header) field() {
	raw := message.RawField(h.text)
	switch h.kind {
	case received:
		h.Hops++
	case subject:
		h.Subject = clip(raw.Text(), 200)
	case messageID:
		h.MessageID = clip(raw.Value(), 250)
	case deliveredTo:
		if p, err := smtp.ParseMailbox(raw.Value()); err == nil && h.mailbox(p) {
			h.Loop = true
		}
	}
	h.kind, h.text = unwanted, h.text[:0]
}

// clip cuts a text to so many octets at most, and to whole characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most]
}
