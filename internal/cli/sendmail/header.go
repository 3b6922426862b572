package sendmail

import (
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/message"
)

// addressFields are the fields whose addresses get the name of this host if they
// have none, as programs write them: "To: root". The value says whether -t reads
// it: in a message that is sent on, only those that begin with Resent count.
var addressFields = map[string]bool{
	"from": false, "sender": false, "reply-to": false, "to": true, "cc": true, "bcc": true,
	"resent-from": false, "resent-sender": false, "resent-reply-to": false, "resent-to": true, "resent-cc": true, "resent-bcc": true,
}

// dropped are the fields that do not leave with the message: whom nobody is to know
// of, and what only the last host writes.
var dropped = map[string]bool{"bcc": true, "resent-bcc": true, "return-path": true}

// header is the header of a message while it is mended.
type header struct {
	host   string
	fields []string // whole, line ends CRLF
	seen   map[string]bool
	to     []string // of To, Cc and Bcc: addresses
	resent []string // of their Resent forms
	wrong  error    // the first address that cannot be read
}

// add takes a field as it came.
func (h *header) add(f message.RawField) {
	name := strings.ToLower(f.Name())
	if name == "" { // the "From " line of a mailbox file
		return
	}
	if h.seen == nil {
		h.seen = map[string]bool{}
	}
	h.seen[name] = true
	text := string(f)
	if to, is := addressFields[name]; is {
		text = qualify(text, strings.IndexByte(text, ':')+1, h.host)
		if to {
			h.collect(name, message.RawField(text).Value())
		}
	}
	if !dropped[name] {
		h.fields = append(h.fields, text)
	}
}

func (h *header) collect(name, value string) {
	list, err := message.ParseAddressList(value)
	if err != nil && h.wrong == nil {
		h.wrong = fmt.Errorf("%s: %q: %w", name, value[:min(len(value), 100)], reason(err))
	}
	for _, a := range list.Addresses() {
		if strings.HasPrefix(name, "resent-") {
			h.resent = append(h.resent, a.Addr)
		} else {
			h.to = append(h.to, a.Addr)
		}
	}
}

// recipients are those of -t.
func (h *header) recipients() []string {
	if h.seen["resent-to"] || h.seen["resent-cc"] || h.seen["resent-bcc"] {
		return h.resent
	}
	return h.to
}

// lacks reports whether there is no field of a name.
func (h *header) lacks(name string) bool { return !h.seen[strings.ToLower(name)] }

// set adds a field of ours. The value has no line ends.
func (h *header) set(name, value string) { h.fields = append(h.fields, name+": "+value+"\r\n") }

// qualify gives the addresses from an offset of a text on the name of a host if
// they have none. All else stays as it is. It reads no more of the syntax (RFC
// 5322, 3.4) than it needs for that, and leaves alone what it does not understand.
func qualify(text string, from int, host string) string {
	q := qualifier{text: text}
	for i := from; i < len(text); i++ {
		i = q.next(i)
	}
	q.end()
	var b strings.Builder
	last := 0
	for _, at := range q.inserts {
		b.WriteString(text[last:at] + "@" + host)
		last = at
	}
	return b.String() + text[last:]
}

// qualifier goes through a list of addresses. An address is a word, or whatever is
// in angle brackets.
type qualifier struct {
	text    string
	inserts []int // where the name of the host is missing
	words   int   // of this address
	wordEnd int   // of the last one
	inWord  bool
	full    bool // it has an @, or is not understood, or its brackets were dealt with
}

// next looks at the octet at i, and returns where what begins there ends.
func (q *qualifier) next(i int) int {
	switch c := q.text[i]; c {
	case ' ', '\t', '\r', '\n':
		q.inWord = false
		return i
	case '(':
		q.inWord = false
		return q.skipComment(i)
	case ',', ';':
		q.end()
		return i
	case ':':
		if !q.full { // the name of a group, which was no address
			q.words, q.inWord = 0, false
		}
		return i
	case '@':
		q.full = true
		return i
	case '<':
		q.words, q.inWord, q.full = 0, false, false
		return i
	case '>':
		q.end()
		q.full = true // until the next comma
		return i
	case '"':
		i = q.skipQuoted(i)
		q.full = q.full || q.text[i] != '"'
	case '\\', '[', ']':
		q.full = true // it is not understood
	}
	if !q.inWord {
		q.words++
		q.inWord = true
	}
	q.wordEnd = i + 1
	return i
}

// end is that of an address.
func (q *qualifier) end() {
	if q.words == 1 && !q.full {
		q.inserts = append(q.inserts, q.wordEnd)
	}
	q.words, q.inWord, q.full = 0, false, false
}

// skipQuoted returns where a quoted string ends: at its quote, or with the text.
func (q *qualifier) skipQuoted(i int) int {
	for i++; i < len(q.text); i++ {
		switch q.text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(q.text) - 1
}

// skipComment returns where a comment ends, with those in it.
func (q *qualifier) skipComment(i int) int {
	depth := 0
	for ; i < len(q.text); i++ {
		switch q.text[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(q.text) - 1
}
