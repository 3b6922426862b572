package inboxapi

import (
	"net/http"
	"strconv"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
)

type inboxList struct {
	Inboxes []inbox.Info `json:"inboxes"`
}

func (a *API) inboxes(w http.ResponseWriter, _ *http.Request) error {
	return ok(w, inboxList{a.o.Store.Inboxes()})
}

type page struct {
	Messages []inbox.Message `json:"messages"`
	Found    int             `json:"found"`
	All      int             `json:"all"`
	Unread   int             `json:"unread"`
	More     bool            `json:"more"`
}

func (a *API) list(w http.ResponseWriter, r *http.Request) error {
	q, err := search(r)
	if err != nil {
		return err
	}
	before, err := idOf(r, "before")
	if err != nil {
		return err
	}
	most, err := number(r, "limit", usualPage, 1, maxPage)
	if err != nil {
		return err
	}
	return ok(w, page(a.o.Store.List(named(r), q, before, most)))
}

// idOf reads an ID of a query; it is zero if there is none.
func idOf(r *http.Request, name string) (id mail.ID, err error) {
	if s := r.FormValue(name); s != "" {
		if id, err = mail.ParseID(s); err != nil {
			return id, wrong(name + ": " + err.Error())
		}
	}
	return id, nil
}

// number reads a number of a query.
func number(r *http.Request, name string, otherwise, least, most int) (int, error) {
	s := r.FormValue(name)
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least {
		return 0, wrong(name + " is a number from " + strconv.Itoa(least) + " upward")
	}
	return min(n, most), nil
}

type deleted struct {
	Deleted int `json:"deleted"`
}

func (a *API) deleteAll(w http.ResponseWriter, r *http.Request) error {
	q, err := search(r)
	if err != nil {
		return err
	}
	return ok(w, deleted{a.o.Store.DeleteAll(named(r), q)})
}

func (a *API) delete(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	return ok(w, deleted{a.o.Store.Delete(m.Inbox, m.ID)})
}

type mark struct {
	Read *bool    `json:"read,omitempty"`
	Tags []string `json:"tags"` // in the place of those that it has; none given: they stay
}

func (a *API) mark(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	var want mark
	if err := read(w, r, maxBody, &want); err != nil {
		return err
	}
	if want.Read == nil && want.Tags == nil {
		return wrong("say read, true or false, or tags, a list")
	}
	if err := a.change(&m, &want); err != nil {
		return err
	}
	return ok(w, m)
}

// change does what is wanted of a message.
func (a *API) change(m *inbox.Message, want *mark) error {
	if want.Tags != nil {
		tags, err := inbox.ParseTags(want.Tags)
		if err != nil {
			return wrong(err.Error())
		}
		if err := a.o.Store.Tag(m.Inbox, m.ID, tags); err != nil {
			return err
		}
		m.Tags = tags
	}
	if want.Read == nil {
		return nil
	}
	m.Read = *want.Read
	return a.o.Store.Mark(m.Inbox, m.ID, m.Read)
}
