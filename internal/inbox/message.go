package inbox

import (
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/letter"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// Message is what is known of a message without opening it.
type Message struct {
	ID      mail.ID   `json:"id"`
	Inbox   string    `json:"inbox"`
	Arrived time.Time `json:"arrived"`
	// From and To are the envelope: who was named by MAIL and RCPT.
	From string   `json:"from"`
	To   []string `json:"to"`
	// Author and ShownTo are the header: the first of From, and those of To and Cc, each
	// as "Bob <bob@sohu.com>", 20 at most.
	Author      string      `json:"author"`
	ShownTo     []string    `json:"shown_to"`
	Cc          []string    `json:"cc,omitempty"` // the last of ShownTo, those of Cc
	Subject     string      `json:"subject"`
	Date        time.Time   `json:"date,omitzero"`
	MessageID   string      `json:"message_id,omitempty"`
	Size        int64       `json:"size"` // octets of the source
	Attachments int         `json:"attachments"`
	Problems    int         `json:"problems"`
	Snippet     string      `json:"snippet"` // how its words begin, on one line
	Read        bool        `json:"read"`
	Tags        []string    `json:"tags,omitempty"` // in order
	Source      mail.Source `json:"source"`
	Of          mail.ID     `json:"of,omitzero"` // its ID in the queue of the house; zero: it came to us directly
}

// Arrival is a message that comes in.
type Arrival struct {
	Inbox    string // see [Fold]
	From     smtp.Path
	To       []smtp.Path
	Source   mail.Source
	Of       mail.ID
	Dialogue []Line
}

// Bounds of what is kept of a message in memory.
const (
	maxShown    = 20
	maxSubject  = 500
	maxSnippet  = 160
	maxWords    = 16 << 10
	fewWords    = 1 << 10  // once the words of all messages
	wordsBudget = 64 << 20 // are more than this
)

// describe says what is known of a message that came.
func describe(a *Arrival, l *letter.Letter) (m Message, words string) {
	m = Message{
		Inbox: a.Inbox, From: a.From.String(), Source: a.Source, Of: a.Of,
		To: []string{}, ShownTo: []string{}, Tags: tagsOf(l.Get("X-Tags")),
		Subject: clip(l.Subject, maxSubject), Date: l.Date, MessageID: clip(l.MessageID, 250),
		Size: int64(len(l.Source())), Attachments: len(l.Attachments()), Problems: len(l.Problems),
	}
	for _, to := range a.To {
		m.To = append(m.To, to.String())
	}
	if len(l.From) > 0 {
		m.Author = person(l.From[0])
	}
	m.ShownTo = append(m.ShownTo, people(l.To, maxShown)...)
	m.Cc = people(l.Cc, maxShown-len(m.ShownTo))
	m.ShownTo = append(m.ShownTo, m.Cc...)
	words = strings.Join(strings.Fields(clip(l.Words(), 4*maxWords)), " ")
	m.Snippet = clip(words, maxSnippet)
	return m, clip(words, maxWords)
}

// people prints as many addresses as there is room for.
func people(list []message.Address, room int) (all []string) {
	for _, to := range list[:min(len(list), room)] {
		all = append(all, person(to))
	}
	return all
}

// person prints an address for people: the name is not encoded.
func person(a message.Address) string {
	if a.Name == "" {
		return clip(a.Addr, 250)
	}
	return clip(a.Name, 100) + " <" + clip(a.Addr, 250) + ">"
}

// clip cuts s to so many octets at most, and to whole characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most]
}
