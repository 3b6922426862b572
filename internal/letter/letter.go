package letter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/message"
)

// Bounds of what is looked at.
const (
	MaxDepth  = 50        // multiparts and messages inside each other
	MaxParts  = 10_000    // of a message
	MaxFields = 1000      // of a header
	MaxHeader = 256 << 10 // octets of a header
	MaxText   = 2 << 20   // octets of a text or of HTML, in UTF-8
	maxFaults = 100       // problems that are told
	maxPeople = 1000      // addresses of a field
)

// Letter is a message as people read it. It refers to the octets that it was read
// from, which must not change.
type Letter struct {
	Header []Field // of the whole message, in order
	Root   *Part   // the message itself

	From, Sender, ReplyTo, To, Cc, Bcc []message.Address

	Subject   string
	Date      time.Time // zero if there is none that makes sense
	MessageID string    // without angle brackets

	// Problems are what is wrong with the message, 100 at most.
	Problems []Problem

	source []byte
	parts  []*Part // all, in the order of the message
	body   []*Part // those with a text that is the letter itself
}

// Problem is something wrong with a message.
type Problem struct {
	Part string // path of the part; "" is the message itself
	What string // a sentence without its full stop
}

func (p Problem) String() string {
	if p.Part == "" {
		return p.What
	}
	return "part " + p.Part + ": " + p.What
}

// Parse reads a message.
func Parse(source []byte) *Letter {
	l := &Letter{source: source}
	s := splitter{letter: l}
	l.Root = s.entity(nil, source, "")
	l.Header = l.Root.Header
	l.head()
	l.choose()
	if len(source) == 0 {
		l.fault("", "the message is empty")
	}
	return l
}

// Source is the message as it came.
func (l *Letter) Source() []byte { return l.source }

// Parts are all parts, in the order of the message; the first is the message itself.
func (l *Letter) Parts() []*Part { return l.parts }

// Part returns the part at a path such as "2.1", or nil. "" is the message itself.
func (l *Letter) Part(path string) *Part {
	for _, p := range l.parts {
		if p.Path == path {
			return p
		}
	}
	return nil
}

// head reads the fields that every letter has.
func (l *Letter) head() {
	for _, f := range l.Header {
		switch strings.ToLower(f.Name) {
		case "from":
			l.people(&l.From, f)
		case "sender":
			l.people(&l.Sender, f)
		case "reply-to":
			l.people(&l.ReplyTo, f)
		case "to":
			l.people(&l.To, f)
		case "cc":
			l.people(&l.Cc, f)
		case "bcc":
			l.people(&l.Bcc, f)
		case "subject":
			if l.Subject == "" {
				l.Subject = f.Text
			}
		case "date":
			l.date(f)
		case "message-id":
			if l.MessageID == "" {
				l.MessageID = strings.Trim(f.Text, "<> \t")
			}
		}
	}
	l.missing()
}

// missing tells of fields that every message must have (RFC 5322, 3.6), and of those that
// it may have only once.
func (l *Letter) missing() {
	for _, name := range []string{"From", "Date"} {
		if n := l.count(name); n == 0 {
			l.fault("", "there is no %s field", name)
		}
	}
	for _, name := range []string{"From", "Date", "Subject", "To", "Cc", "Message-ID", "Reply-To", "Sender"} {
		if n := l.count(name); n > 1 {
			l.fault("", "there are %d %s fields, and mail programs show different ones", n, name)
		}
	}
}

func (l *Letter) count(name string) (n int) {
	for _, f := range l.Header {
		if strings.EqualFold(f.Name, name) {
			n++
		}
	}
	return n
}

func (l *Letter) people(into *[]message.Address, f Field) {
	list, err := message.ParseAddressList(f.raw)
	if err != nil {
		l.fault("", "the %s field has something that is no address", f.Name)
	}
	all := list.Addresses()
	if room := maxPeople - len(*into); len(all) > room {
		l.fault("", "the %s field has more than %d addresses", f.Name, maxPeople)
		all = all[:room]
	}
	*into = append(*into, all...)
}

func (l *Letter) date(f Field) {
	if !l.Date.IsZero() {
		return
	}
	t, err := parseDate(f.Text)
	if err != nil {
		l.fault("", "the Date field is no date: %q", clip(f.Text, 60))
		return
	}
	l.Date = t
}

// Get returns the text of the first field of a name, or "".
func (l *Letter) Get(name string) string { return get(l.Header, name) }

func get(header []Field, name string) string {
	i := slices.IndexFunc(header, func(f Field) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 {
		return ""
	}
	return header[i].Text
}

// fault notes what is wrong with a part.
func (l *Letter) fault(part, format string, args ...any) {
	switch {
	case len(l.Problems) < maxFaults:
		l.Problems = append(l.Problems, Problem{part, fmt.Sprintf(format, args...)})
	case len(l.Problems) == maxFaults:
		l.Problems = append(l.Problems, Problem{"", "there is more that is wrong"})
	}
}
