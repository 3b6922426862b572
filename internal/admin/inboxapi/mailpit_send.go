package inboxapi

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

type mailpitPerson struct{ Email, Name string }

type mailpitSend struct {
	From        mailpitPerson
	To          []mailpitPerson
	Cc          []mailpitPerson
	Bcc         []string
	ReplyTo     []mailpitPerson
	Subject     string
	Text        string
	HTML        string
	Headers     map[string]string
	Attachments []struct{ Content, Filename, ContentType, ContentID string }
}

type mailpitSent struct{ ID string }

func (a *API) mailpitSend(w http.ResponseWriter, r *http.Request) error {
	var want mailpitSend
	if err := read(w, r, maxSend, &want); err != nil {
		return err
	}
	host := strings.ToLower(rand.Text())
	m, err := want.message(host)
	if err != nil {
		return err
	}
	arrival, err := want.envelope()
	if err != nil {
		return err
	}
	var kept inbox.Message
	var text bytes.Buffer
	if _, err = m.WriteTo(&text); err == nil {
		kept, err = a.o.Store.Put(r.Context(), arrival, bytes.NewReader(bytes.ReplaceAll(text.Bytes(), []byte("@"+host+">"), []byte(">"))))
	}
	var bad *message.FieldError
	switch {
	case errors.As(err, &bad):
		return wrong(bad.Error())
	case err != nil:
		return err
	}
	return ok(w, mailpitSent{kept.ID.String()})
}

func (p mailpitPerson) address() message.Address { return message.Address{Name: p.Name, Addr: p.Email} }

// message is what is sent. A Content-ID should be unique in the world (RFC 2392, 2), and
// helpers say "logo": such a one is at a host, which is taken away from the text again.
func (s *mailpitSend) message(host string) (*message.Message, error) {
	m := &message.Message{
		From: []message.Address{s.From.address()}, Subject: s.Subject, Text: s.Text, HTML: s.HTML, Internationalized: true,
	}
	for _, list := range []struct {
		to   *message.AddressList
		from []mailpitPerson
	}{{&m.To, s.To}, {&m.Cc, s.Cc}, {&m.ReplyTo, s.ReplyTo}} {
		for _, p := range list.from {
			*list.to = append(*list.to, p.address())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		m.Fields = append(m.Fields, message.Field{Name: name, Value: s.Headers[name]})
	}
	for _, f := range s.Attachments {
		content, err := base64.StdEncoding.DecodeString(f.Content)
		if err != nil {
			return nil, wrong("the content of an attachment is not base64")
		}
		id := f.ContentID
		if id != "" && !strings.Contains(id, "@") {
			id = strings.Trim(id, "<>") + "@" + host
		}
		m.Attachments = append(m.Attachments, message.Attachment{
			Name: f.Filename, Type: f.ContentType, ContentID: id,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(content))), nil },
		})
	}
	return m, nil
}

func (s *mailpitSend) envelope() (a inbox.Arrival, err error) {
	if a.From, err = smtp.ParseMailbox(s.From.Email); err != nil {
		return a, wrong(fmt.Sprintf("From: %q is no address", s.From.Email))
	}
	to := append([]string(nil), s.Bcc...)
	for _, p := range append(append([]mailpitPerson(nil), s.To...), s.Cc...) {
		to = append(to, p.Email)
	}
	for _, one := range to {
		p, err := smtp.ParseMailbox(one)
		if err != nil {
			return a, wrong(fmt.Sprintf("%q is no address", one))
		}
		a.To = append(a.To, p)
	}
	a.Source.Listener = "http"
	return a, nil
}
