package inboxapi

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/letter"
	"github.com/posthouse/posthouse/internal/mail"
)

type mailpitAttachment struct {
	PartID      string
	FileName    string
	ContentType string
	ContentID   string
	Size        int64
	Checksums   mailpitChecksums
}

// mailpitChecksums are digests of a part's content, in hexadecimal.
type mailpitChecksums struct{ MD5, SHA1, SHA256 string }

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
		Subject: m.Subject, Date: l.Date, Tags: s.Tags, Username: s.Username, Text: l.Text(), HTML: l.HTML(), Size: m.Size,
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

// maxSummed is of how many octets of a message digests are made: parts may be in parts.
const maxSummed = 2 * inbox.MaxMessage

func mailpitParts(parts []*letter.Part) []mailpitAttachment {
	all := []mailpitAttachment{}
	room := int64(maxSummed)
	for _, p := range parts {
		name := p.Name
		if name == "" {
			name = "part-" + pathOf(p)
		}
		one := mailpitAttachment{PartID: pathOf(p), FileName: name, ContentType: p.Type, ContentID: p.ContentID, Size: p.Size()}
		if room -= one.Size; room >= 0 {
			one.Checksums = checksums(p.Open())
		}
		all = append(all, one)
	}
	return all
}

// checksums are for telling files apart, and protect nothing.
func checksums(content io.Reader) mailpitChecksums {
	m, s, l := md5.New(), sha1.New(), sha256.New()
	_, _ = io.Copy(io.MultiWriter(m, s, l), content) // of what is in memory
	return mailpitChecksums{hex.EncodeToString(m.Sum(nil)), hex.EncodeToString(s.Sum(nil)), hex.EncodeToString(l.Sum(nil))}
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
