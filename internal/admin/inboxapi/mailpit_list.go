package inboxapi

import (
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
)

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
	q, err := mailpitQuery(r, r.FormValue("query"))
	if err != nil {
		return err
	}
	return a.mailpitPage(w, r, q)
}

// mailpitQuery is a search of Mailpit.
func mailpitQuery(r *http.Request, query string) (inbox.Query, error) {
	zone, err := time.LoadLocation(r.FormValue("tz")) // "" is UTC
	if err != nil {
		return inbox.Query{}, wrong("tz is no time zone such as Asia/Shanghai")
	}
	q, err := inbox.ParseQueryAt(dashed(query), time.Now().In(zone))
	switch {
	case err != nil:
		return q, wrong(err.Error())
	case q.IsZero():
		return q, wrong("no search query")
	}
	return q, nil
}

// dashed writes "-word" for "!word".
func dashed(query string) string {
	quoted, begins := false, true
	return strings.Map(func(r rune) rune {
		denied := r == '!' && begins && !quoted
		quoted = quoted != (r == '"')
		begins = unicode.IsSpace(r)
		if denied {
			return '-'
		}
		return r
	}, query)
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
		Tags: a.tags(), Messages: []mailpitSummary{},
	}
	for i := range some {
		list.Messages = append(list.Messages, mailpitSummaryOf(&some[i]))
	}
	return ok(w, list)
}

func mailpitSummaryOf(m *inbox.Message) mailpitSummary {
	s := mailpitSummary{
		ID: m.ID.String(), MessageID: m.MessageID, Read: m.Read, Subject: m.Subject, Created: m.Arrived, Username: m.Source.Login,
		Tags: append([]string{}, m.Tags...), Size: m.Size, Attachments: m.Attachments, Snippet: m.Snippet,
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
