package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// Message is a message that is in the queue.
type Message struct {
	ID         mail.ID     `json:"id"`
	From       smtp.Path   `json:"from"` // "": the null sender
	Arrived    time.Time   `json:"arrived"`
	Size       int64       `json:"size"` // octets
	Subject    string      `json:"subject,omitempty"`
	MessageID  string      `json:"message_id,omitempty"`
	Source     Source      `json:"source"`
	Body       string      `json:"body,omitempty"` // "8BITMIME", "BINARYMIME"
	UTF8       bool        `json:"utf8,omitempty"`
	RequireTLS bool        `json:"require_tls,omitempty"`
	Return     string      `json:"return,omitempty"`
	EnvID      string      `json:"envid,omitempty"`
	Priority   int         `json:"priority,omitempty"`
	HoldUntil  time.Time   `json:"hold_until,omitzero"`
	By         time.Time   `json:"by,omitzero"`
	Hops       int         `json:"hops,omitempty"`
	Addressed  int         `json:"addressed"`  // recipients in all, those that are done included
	Recipients []Recipient `json:"recipients"` // a page of those that are not
	Next       string      `json:"next,omitempty"`
}

// Source is how a message came in.
type Source struct {
	Listener string `json:"listener,omitempty"`
	Client   string `json:"client,omitempty"`
	Hello    string `json:"hello,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	TLS      string `json:"tls,omitempty"`
	Login    string `json:"login,omitempty"`
}

func sourceOf(s *mail.Source) Source {
	out := Source{Listener: s.Listener, Hello: s.Hello, Protocol: s.Protocol, TLS: s.TLS, Login: s.Login}
	if s.Client.IsValid() {
		out.Client = s.Client.String()
	}
	return out
}

func (a *API) message(r *http.Request) (any, error) {
	v, err := asked(r, "after", "limit")
	if err != nil {
		return nil, err
	}
	id, err := a.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	q := spool.Query{Filter: spool.Filter{ID: id}}
	if q.Limit, err = limit(v.Get("limit")); err != nil {
		return nil, err
	}
	if q.After, err = parseCursor(v.Get("after")); err != nil {
		return nil, err
	}
	page, err := a.opts.Spool.List(r.Context(), q)
	switch {
	case err != nil:
		return nil, err
	case len(page.Items) == 0:
		return nil, &Fault{http.StatusNotFound, "message " + id.String() + " is not in the queue", "posthouse why " + id.String() + " tells what became of it"}
	}
	m := messageOf(page.Items[0].Envelope)
	for i := range page.Items {
		m.Recipients = append(m.Recipients, a.recipientOf(&page.Items[i]))
	}
	m.Next = nextOf(&page)
	return m, nil
}

func messageOf(e *mail.Envelope) Message {
	return Message{
		ID: e.ID, From: e.From, Arrived: e.Arrived, Size: e.Size, Subject: e.Subject, MessageID: e.MessageID,
		Source: sourceOf(&e.Source), Body: string(e.Body), UTF8: e.UTF8, RequireTLS: e.RequireTLS,
		Return: string(e.Return), EnvID: e.EnvID, Priority: e.Priority, HoldUntil: e.HoldUntil, By: e.By,
		Hops: e.Hops, Addressed: len(e.To),
	}
}

// text sends the content of a message as it is.
func (a *API) text(w http.ResponseWriter, r *http.Request) {
	text, size, err := a.content(r)
	if err != nil {
		a.fault(w, r, err)
		return
	}
	defer text.Close()
	header(w, "message/rfc822")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10)) // so that a text that is cut is seen to be
	c := http.NewResponseController(w)
	for err == nil {
		_ = c.SetWriteDeadline(time.Now().Add(pace)) // not every server can
		_, err = io.CopyN(w, text, 64<<10)
	}
	if !errors.Is(err, io.EOF) {
		a.opts.Log.Warn("a text was not sent whole", "path", r.URL.Path, "error", err)
	}
}

func (a *API) content(r *http.Request) (text io.ReadCloser, size int64, err error) {
	id, err := a.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, 0, err
	}
	content, err := a.opts.Spool.Open(r.Context(), id)
	if err != nil {
		return nil, 0, err
	}
	text, err = content.Open()
	return text, content.Size(), err
}

const (
	idLetters = 20
	// fewest letters of an ID that are looked for in the queue, and in the journal:
	// those tell when the message came, to a quarter of a second.
	fewest        = 4
	fewestJournal = 8
	// slow is how long after it was begun a message may have been committed, to be
	// found in the journal by the first letters of its ID, and pages how far it is read.
	slow  = 10 * time.Minute
	pages = 5
)

// find reads an ID, or finds the one that begins so.
func (a *API) find(ctx context.Context, s string) (mail.ID, error) {
	s = strings.ToLower(s)
	if len(s) >= idLetters {
		id, err := mail.ParseID(s)
		if err != nil {
			return id, wrong("%v", err)
		}
		if id.IsZero() { // which would mean all of the journal
			return id, missing("no message has the id %s", s)
		}
		return id, nil
	}
	low, err := mail.ParseID(s + strings.Repeat("0", idLetters-len(s)))
	switch {
	case err != nil:
		return low, wrong("%q does not begin a message id", s)
	case len(s) < fewest:
		return low, wrong("%q is too short: give %d letters of the id, or more", s, fewest)
	}
	found, err := a.inQueue(ctx, s, low)
	if err == nil && len(s) >= fewestJournal && len(found) < 2 {
		found, err = a.inJournal(ctx, s, low, found)
	}
	switch {
	case err != nil:
		return low, err
	case len(found) == 0:
		return low, missing("no message that is known has an id that begins with %s", s)
	case len(found) > 1:
		return low, &Fault{http.StatusConflict, "several messages have an id that begins with " + s, found[0].String() + " and " + found[1].String() + " do"}
	}
	return found[0], nil
}

// inQueue returns up to two messages in the queue whose IDs begin so.
func (a *API) inQueue(ctx context.Context, prefix string, low mail.ID) (found []mail.ID, err error) {
	after := spool.Cursor{ID: low, Recipient: -1}
	for len(found) < 2 {
		page, err := a.opts.Spool.List(ctx, spool.Query{After: after, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(page.Items) == 0 || !strings.HasPrefix(page.Items[0].Envelope.ID.String(), prefix) {
			return found, nil
		}
		e := page.Items[0].Envelope
		found = append(found, e.ID)
		after = spool.Cursor{ID: e.ID, Recipient: len(e.To)}
	}
	return found, nil
}

// inJournal adds those that the journal tells of.
func (a *API) inJournal(ctx context.Context, prefix string, low mail.ID, found []mail.ID) ([]mail.ID, error) {
	q := spool.FactQuery{Since: low.Arrived()}
	for range pages {
		page, err := a.opts.Spool.Facts(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Facts {
			f := &page.Facts[i]
			known := len(found) > 0 && found[0] == f.ID
			if !known && strings.HasPrefix(f.ID.String(), prefix) {
				if found = append(found, f.ID); len(found) == 2 {
					return found, nil
				}
			}
			q.After = f.Seq
		}
		if !page.More || time.Unix(0, int64(q.After)).Sub(q.Since) > slow {
			break
		}
	}
	return found, nil
}
