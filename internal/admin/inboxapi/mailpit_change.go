package inboxapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

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
	q, err := mailpitQuery(r, r.FormValue("query"))
	if err != nil {
		return err
	}
	a.o.Store.DeleteAll("", q)
	return done(w)
}

type mailpitMark struct {
	IDs    []string
	Search string
	Read   bool
}

func (a *API) mailpitMark(w http.ResponseWriter, r *http.Request) error {
	var want mailpitMark
	if err := optional(w, r, &want); err != nil {
		return err
	}
	ids := parseIDs(want.IDs)
	if len(want.IDs) == 0 {
		var q inbox.Query
		var err error
		if want.Search != "" {
			q, err = mailpitQuery(r, want.Search)
		}
		if err != nil {
			return err
		}
		ids = a.unlike(q, want.Read)
	}
	for _, id := range ids {
		if err := a.o.Store.Mark("", id, want.Read); err != nil && !errors.Is(err, inbox.ErrNotFound) {
			return err
		}
	}
	return done(w)
}

// unlike is the messages of a search that are not yet read, or not yet unread.
func (a *API) unlike(q inbox.Query, read bool) (ids []mail.ID) {
	for before, more := (mail.ID{}), true; more; {
		p := a.o.Store.List("", q, before, maxPage)
		for i := range p.Messages {
			before = p.Messages[i].ID
			if p.Messages[i].Read != read {
				ids = append(ids, before)
			}
		}
		more = p.More
	}
	return ids
}

// mailpitRelease is whom a message goes to. Some helpers send the list alone.
type mailpitRelease struct{ To []string }

// UnmarshalJSON implements [json.Unmarshaler].
func (m *mailpitRelease) UnmarshalJSON(text []byte) error {
	type plain mailpitRelease
	if strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		return json.Unmarshal(text, &m.To)
	}
	return json.Unmarshal(text, (*plain)(m))
}

func (a *API) mailpitRelease(w http.ResponseWriter, r *http.Request) error {
	m, err := a.latest(r)
	if err != nil {
		return err
	}
	var want mailpitRelease
	if err := read(w, r, maxBody, &want); err != nil {
		return err
	}
	var order Release
	for _, to := range want.To {
		p, err := smtp.ParseMailbox(to)
		if err != nil {
			return wrong(fmt.Sprintf("%q is no address", to))
		}
		order.To = append(order.To, p)
	}
	if _, err := a.send(r.Context(), m, order); err != nil {
		return err
	}
	return done(w)
}
