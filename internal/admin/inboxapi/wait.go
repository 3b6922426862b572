package inboxapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
)

// wait waits for a message that fits what is asked.
func (a *API) wait(w http.ResponseWriter, r *http.Request) error {
	q, err := search(r)
	if err != nil {
		return err
	}
	q = q.And(inbox.To(r.FormValue("to"))).And(inbox.Subject(r.FormValue("subject"))).And(inbox.From(r.FormValue("from")))
	long := usualWait
	if s := r.FormValue("timeout"); s != "" {
		if long, err = time.ParseDuration(s); err != nil || long < 0 {
			return wrong("timeout is a time such as 10s")
		}
	}
	since, err := idOf(r, "since")
	if err != nil {
		return err
	}
	return a.waitFor(w, r, q, since, min(long, maxWait))
}

// waitFor answers with the message that is waited for, or with 408 when the time is
// over.
func (a *API) waitFor(w http.ResponseWriter, r *http.Request, q inbox.Query, since mail.ID, long time.Duration) error {
	ctx, cancel := context.WithTimeout(r.Context(), long)
	defer cancel()
	m, err := a.o.Store.Wait(ctx, named(r), q, since)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &admin.Fault{Status: http.StatusRequestTimeout, Message: "no such message came within " + long.String()}
	case err != nil:
		return err
	}
	return a.tell(w, r, m)
}
