package inboxapi

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/letter"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// mailpit are the calls of Mailpit's API that test helpers use most, in its shape. They know
// one inbox, which is all of ours together.
func (a *API) mailpit() []route {
	const one = "/api/v1/message/{id}"
	start := param{"start", "how many of the newest are passed over"}
	found := param{"query", "search, in the words of this inbox"}
	return []route{
		{method: "GET", path: "/api/v1/info", summary: "Mailpit: how many messages there are", answer: mailpitInfo{}, do: a.mailpitInfo},
		{method: "GET", path: "/api/v1/messages", summary: "Mailpit: messages, newest first", query: []param{start, byLimit}, answer: mailpitList{}, do: a.mailpitList},
		{method: "GET", path: "/api/v1/search", summary: "Mailpit: messages that fit a search", query: []param{found, start, byLimit}, answer: mailpitList{}, do: a.mailpitSearch},
		{method: "DELETE", path: "/api/v1/messages", summary: "Mailpit: delete messages; all, without IDs", body: mailpitIDs{}, kind: "text/plain", do: a.mailpitDelete},
		{method: "PUT", path: "/api/v1/messages", summary: "Mailpit: mark messages as read; all, without IDs", body: mailpitMark{}, kind: "text/plain", do: a.mailpitMark},
		{method: "DELETE", path: "/api/v1/search", summary: "Mailpit: delete what fits a search", query: []param{found}, kind: "text/plain", do: a.mailpitDeleteSearch},
		{method: "GET", path: one, summary: "Mailpit: a message; latest is the newest", answer: mailpitMessage{}, do: a.mailpitMessage},
		{method: "GET", path: one + "/headers", summary: "Mailpit: its header", answer: map[string][]string{}, do: a.mailpitHeaders},
		{method: "GET", path: one + "/raw", summary: "Mailpit: its source", kind: "text/plain", time: sourceTime, do: a.mailpitRaw},
		{method: "GET", path: one + "/part/{path}", summary: "Mailpit: a part of it", kind: "application/octet-stream", time: sourceTime, do: a.mailpitPart},
		{method: "POST", path: one + "/release", summary: "Mailpit: send it on", body: mailpitRelease{}, kind: "text/plain", do: a.mailpitRelease},
		{method: "POST", path: "/api/v1/send", summary: "Mailpit: put a message into the inbox", body: mailpitSend{}, answer: mailpitSent{}, time: sourceTime, do: a.mailpitSend},
		{method: "GET", path: "/view/{id}", summary: "Mailpit: ID.html and ID.txt are the letter as HTML, made safe, and as text", kind: "text/html", do: a.mailpitView},
	}
}

// mailpitFlavour is the version of Mailpit whose shapes these are, for helpers that look.
const mailpitFlavour = "v1.21.0"

type mailpitInfo struct {
	Version       string
	LatestVersion string
	Database      string
	DatabaseSize  int64
	Messages      int
	Unread        int
	Tags          map[string]int
	RuntimeStats  map[string]int
}

func (a *API) mailpitInfo(w http.ResponseWriter, _ *http.Request) error {
	info := mailpitInfo{Version: mailpitFlavour, LatestVersion: mailpitFlavour, Database: "posthouse " + a.o.Version, Tags: map[string]int{}, RuntimeStats: map[string]int{}}
	for _, i := range a.o.Store.Inboxes() {
		info.Messages, info.Unread, info.DatabaseSize = info.Messages+i.Messages, info.Unread+i.Unread, info.DatabaseSize+i.Octets
	}
	return ok(w, info)
}

type mailpitAddress struct {
	Name    string
	Address string
}

type mailpitSummary struct {
	ID          string
	MessageID   string
	Read        bool
	From        mailpitAddress
	To          []mailpitAddress
	Cc          []mailpitAddress
	Bcc         []mailpitAddress
	ReplyTo     []mailpitAddress
	Subject     string
	Created     time.Time
	Username    string
	Tags        []string
	Size        int64
	Attachments int
	Snippet     string
}

type mailpitList struct {
	Total          int              `json:"total"`
	Unread         int              `json:"unread"`
	Count          int              `json:"count"`
	MessagesCount  int              `json:"messages_count"`
	MessagesUnread int              `json:"messages_unread"`
	Start          int              `json:"start"`
	Tags           []string         `json:"tags"`
	Messages       []mailpitSummary `json:"messages"`
}

func (a *API) mailpitList(w http.ResponseWriter, r *http.Request) error {
	return a.mailpitPage(w, r, inbox.Query{})
}

func (a *API) mailpitSearch(w http.ResponseWriter, r *http.Request) error {
	q, err := mailpitQuery(r)
	if err != nil {
		return err
	}
	return a.mailpitPage(w, r, q)
}

// mailpitQuery is a search of Mailpit, whose "!" is our "-".
func mailpitQuery(r *http.Request) (inbox.Query, error) {
	words := strings.Fields(r.FormValue("query"))
	for i, w := range words {
		if rest, not := strings.CutPrefix(w, "!"); not {
			words[i] = "-" + rest
		}
	}
	q, err := inbox.ParseQuery(strings.Join(words, " "))
	switch {
	case err != nil:
		return q, wrong(err.Error())
	case q.IsZero():
		return q, wrong("no search query")
	}
	return q, nil
}

func (a *API) mailpitPage(w http.ResponseWriter, r *http.Request, q inbox.Query) error {
	start, err := number(r, "start", 0, 0, 1<<30)
	if err != nil {
		return err
	}
	limit, err := number(r, "limit", usualPage, 0, maxPage)
	if err != nil {
		return err
	}
	all := a.o.Store.List("", inbox.Query{}, mail.ID{}, 0)
	p := a.o.Store.List("", q, mail.ID{}, min(start, 100_000)+limit)
	some := p.Messages[min(start, len(p.Messages)):]
	list := mailpitList{
		Total: all.Found, Unread: all.Unread, Count: len(some), MessagesCount: p.Found, MessagesUnread: p.Unread, Start: start,
		Tags: []string{}, Messages: []mailpitSummary{},
	}
	for i := range some {
		list.Messages = append(list.Messages, mailpitSummaryOf(&some[i]))
	}
	return ok(w, list)
}

func mailpitSummaryOf(m *inbox.Message) mailpitSummary {
	s := mailpitSummary{
		ID: m.ID.String(), MessageID: m.MessageID, Read: m.Read, Subject: m.Subject, Created: m.Arrived, Username: m.Source.Login,
		Tags: []string{}, Size: m.Size, Attachments: m.Attachments, Snippet: m.Snippet,
		To: mailpitPeople(m.ShownTo[:len(m.ShownTo)-len(m.Cc)]), Cc: mailpitPeople(m.Cc), Bcc: []mailpitAddress{}, ReplyTo: []mailpitAddress{},
	}
	if from := mailpitPeople([]string{m.Author}); len(from) > 0 {
		s.From = from[0]
	}
	for _, to := range m.To {
		if !strings.Contains(strings.ToLower(strings.Join(m.ShownTo, "\n")), strings.ToLower(to)) {
			s.Bcc = append(s.Bcc, mailpitAddress{Address: to})
		}
	}
	return s
}

// mailpitPeople takes "Bob <bob@sohu.com>" apart.
func mailpitPeople(all []string) []mailpitAddress {
	people := []mailpitAddress{}
	for _, s := range all {
		name, address, named := strings.Cut(s, " <")
		switch {
		case s == "":
		case named:
			people = append(people, mailpitAddress{name, strings.TrimSuffix(address, ">")})
		default:
			people = append(people, mailpitAddress{Address: s})
		}
	}
	return people
}

type mailpitIDs struct{ IDs []string }

// optional reads a body that may be missing.
func optional(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || len(strings.TrimSpace(string(body))) == 0 {
		return err
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return read(w, r, maxBody, into)
}

func parseIDs(texts []string) (ids []mail.ID) {
	for _, s := range texts {
		if id, err := mail.ParseID(s); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func (a *API) mailpitDelete(w http.ResponseWriter, r *http.Request) error {
	var some mailpitIDs
	if err := optional(w, r, &some); err != nil {
		return err
	}
	if len(some.IDs) == 0 {
		a.o.Store.DeleteAll("", inbox.Query{})
	} else {
		a.o.Store.Delete("", parseIDs(some.IDs)...)
	}
	return done(w)
}

// done is how Mailpit says yes.
func done(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok")
	return nil
}

func (a *API) mailpitDeleteSearch(w http.ResponseWriter, r *http.Request) error {
	q, err := mailpitQuery(r)
	if err != nil {
		return err
	}
	a.o.Store.DeleteAll("", q)
	return done(w)
}

type mailpitMark struct {
	IDs  []string
	Read bool
}

func (a *API) mailpitMark(w http.ResponseWriter, r *http.Request) error {
	var want mailpitMark
	if err := optional(w, r, &want); err != nil {
		return err
	}
	ids := parseIDs(want.IDs)
	if len(want.IDs) == 0 {
		for _, m := range a.o.Store.List("", inbox.Query{}, mail.ID{}, maxPage).Messages {
			ids = append(ids, m.ID)
		}
	}
	for _, id := range ids {
		if err := a.o.Store.Mark("", id, want.Read); err != nil && !errors.Is(err, inbox.ErrNotFound) {
			return err
		}
	}
	return done(w)
}

type mailpitAttachment struct {
	PartID      string
	FileName    string
	ContentType string
	ContentID   string
	Size        int64
}

type mailpitMessage struct {
	ID              string
	MessageID       string
	From            mailpitAddress
	To              []mailpitAddress
	Cc              []mailpitAddress
	Bcc             []mailpitAddress
	ReplyTo         []mailpitAddress
	ReturnPath      string
	Subject         string
	ListUnsubscribe struct {
		Header     string
		Links      []string
		Errors     string
		HeaderPost string
	}
	Date        time.Time
	Tags        []string
	Username    string
	Text        string
	HTML        string
	Size        int64
	Inline      []mailpitAttachment
	Attachments []mailpitAttachment
}

// latest finds the message of a path, in which "latest" is the newest.
func (a *API) latest(r *http.Request) (inbox.Message, error) {
	if id := r.PathValue("id"); id != "latest" {
		parsed, err := mail.ParseID(id)
		if err != nil {
			return inbox.Message{}, inbox.ErrNotFound
		}
		return a.o.Store.Get("", parsed)
	}
	p := a.o.Store.List("", inbox.Query{}, mail.ID{}, 1)
	if len(p.Messages) == 0 {
		return inbox.Message{}, inbox.ErrNotFound
	}
	return p.Messages[0], nil
}

// opened is a message with its letter; it is read from then on, as in Mailpit.
func (a *API) opened(r *http.Request) (inbox.Message, *Letter, error) {
	m, err := a.latest(r)
	if err != nil {
		return m, nil, err
	}
	l, err := a.o.Store.Letter(r.Context(), m.Inbox, m.ID)
	if err == nil && !m.Read {
		err = a.o.Store.Mark(m.Inbox, m.ID, true)
	}
	return m, l, err
}

func (a *API) mailpitMessage(w http.ResponseWriter, r *http.Request) error {
	m, l, err := a.opened(r)
	if err != nil {
		return err
	}
	s := mailpitSummaryOf(&m)
	d := mailpitMessage{
		ID: s.ID, MessageID: s.MessageID, From: s.From, To: s.To, Cc: s.Cc, Bcc: s.Bcc, ReplyTo: []mailpitAddress{}, ReturnPath: m.From,
		Subject: m.Subject, Date: l.Date, Tags: []string{}, Username: s.Username, Text: l.Text(), HTML: l.HTML(), Size: m.Size,
		Inline: mailpitParts(l.Inline()), Attachments: mailpitParts(l.Attachments()),
	}
	if d.Date.IsZero() {
		d.Date = m.Arrived
	}
	for _, to := range l.ReplyTo {
		d.ReplyTo = append(d.ReplyTo, mailpitAddress{to.Name, to.Addr})
	}
	d.ListUnsubscribe.Header, d.ListUnsubscribe.HeaderPost = l.Get("List-Unsubscribe"), l.Get("List-Unsubscribe-Post")
	d.ListUnsubscribe.Links = unsubscribeLinks(d.ListUnsubscribe.Header)
	return ok(w, d)
}

// unsubscribeLinks are the addresses of List-Unsubscribe (RFC 2369, 2).
func unsubscribeLinks(value string) []string {
	links := []string{}
	for piece := range strings.SplitSeq(value, "<") {
		if link, _, closed := strings.Cut(piece, ">"); closed {
			links = append(links, link)
		}
	}
	return links
}

func mailpitParts(parts []*letter.Part) []mailpitAttachment {
	all := []mailpitAttachment{}
	for _, p := range parts {
		name := p.Name
		if name == "" {
			name = "part-" + pathOf(p)
		}
		all = append(all, mailpitAttachment{pathOf(p), name, p.Type, p.ContentID, p.Size()})
	}
	return all
}

func (a *API) mailpitHeaders(w http.ResponseWriter, r *http.Request) error {
	m, err := a.latest(r)
	if err != nil {
		return err
	}
	l, err := a.o.Store.Letter(r.Context(), m.Inbox, m.ID)
	if err != nil {
		return err
	}
	header := map[string][]string{}
	for _, f := range l.Header {
		name := http.CanonicalHeaderKey(f.Name)
		header[name] = append(header[name], f.Text)
	}
	return ok(w, header)
}

func (a *API) mailpitRaw(w http.ResponseWriter, r *http.Request) error {
	m, err := a.latest(r)
	if err != nil {
		return err
	}
	return a.give(w, r, m, "text/plain; charset=utf-8")
}

func (a *API) mailpitPart(w http.ResponseWriter, r *http.Request) error {
	m, err := a.latest(r)
	if err != nil {
		return err
	}
	return a.givePart(w, r, m, r.PathValue("path"))
}

type mailpitRelease struct{ To []string }

func (a *API) mailpitRelease(w http.ResponseWriter, r *http.Request) error {
	m, err := a.latest(r)
	if err != nil {
		return err
	}
	var want mailpitRelease
	if err := read(w, r, maxBody, &want); err != nil {
		return err
	}
	order := Release{Message: m, Open: func() (io.ReadSeekCloser, error) { return a.o.Store.Open(m.Inbox, m.ID) }}
	order.From, _ = smtp.ParsePath("<" + m.From + ">")
	for _, to := range want.To {
		p, err := smtp.ParseMailbox(to)
		if err != nil {
			return wrong(fmt.Sprintf("%q is no address", to))
		}
		order.To = append(order.To, p)
	}
	if n := len(order.To); n == 0 || n > maxRelease {
		return wrong("To names one address at least, and 100 at most")
	}
	if err := a.send(r.Context(), order); err != nil {
		return err
	}
	return done(w)
}

func (a *API) mailpitView(w http.ResponseWriter, r *http.Request) error {
	id, asText := strings.CutSuffix(r.PathValue("id"), ".txt")
	r.SetPathValue("id", strings.TrimSuffix(id, ".html"))
	m, l, err := a.opened(r)
	if err != nil {
		return err
	}
	if !asText {
		return a.giveHTML(w, r, m, false)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, l.Text())
	return nil
}

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
	m, err := want.message()
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
		kept, err = a.o.Store.Put(r.Context(), arrival, &text)
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

func (s *mailpitSend) message() (*message.Message, error) {
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
		m.Attachments = append(m.Attachments, message.Attachment{
			Name: f.Filename, Type: f.ContentType, ContentID: f.ContentID,
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
