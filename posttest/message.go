package posttest

import (
	"io"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/letter"
	"github.com/posthouse/posthouse/internal/mail"
)

// Message is one that has come, read for people.
type Message struct {
	From    string   // of the envelope; "" is the null sender
	To      []string // of the envelope
	Login   string   // who had logged in; "" for nobody
	TLS     string   // "TLS 1.3 ..."; "" without
	Subject string   // decoded
	Text    string   // what it says without markup: its plain text, or else that of its HTML
	HTML    string   // as it came
	Source  []byte   // as it came, under the fields of its delivery

	id     mail.ID
	letter *letter.Letter
	lines  []inbox.Line
}

// Attachment is a file that came with a message.
type Attachment struct {
	Name    string
	Type    string // media type
	Content []byte // decoded
}

// open reads a message.
func (s *Server) open(t testing.TB, m inbox.Message) *Message {
	t.Helper()
	l, err := s.store.Letter(t.Context(), m.Inbox, m.ID)
	if err != nil {
		t.Fatalf("posttest: message %s: %v", m.ID, err)
	}
	lines, err := s.store.Dialogue(m.Inbox, m.ID)
	if err != nil {
		t.Fatalf("posttest: message %s: %v", m.ID, err)
	}
	return &Message{
		From: m.From, To: m.To, Login: m.Source.Login, TLS: m.Source.TLS,
		Subject: l.Subject, Text: strings.TrimSpace(l.Words()), HTML: l.HTML(), Source: l.Source(),
		id: m.ID, letter: l, lines: lines,
	}
}

// Header is the first field of a name, decoded; "" if there is none.
func (m *Message) Header(name string) string { return m.letter.Get(name) }

// Links are the addresses in the message, in order, each once.
func (m *Message) Links() []string {
	var all []string
	for _, l := range m.letter.Links() {
		if !l.Image {
			all = append(all, l.URL)
		}
	}
	return all
}

// Codes are the one-time codes in the message, the likeliest first.
func (m *Message) Codes() []string { return m.letter.Codes() }

// Attachments are the files that came with the message.
func (m *Message) Attachments() []Attachment {
	var all []Attachment
	for _, p := range m.letter.Attachments() {
		content, _ := io.ReadAll(p.Open()) // does not fail
		all = append(all, Attachment{p.Name, p.Type, content})
	}
	return all
}

// Transcript is the SMTP dialogue in which the message came, up to its final dot: "C: "
// or "S: " and what was said, a line each, secrets masked.
func (m *Message) Transcript() string {
	var b strings.Builder
	for _, l := range m.lines {
		b.WriteString(l.Who.String() + ": " + l.Text + "\n")
	}
	return b.String()
}
