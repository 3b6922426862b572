package inboxapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
)

// waitFor answers with the message that is waited for, or with 408 when the time is
// over.
func (a *API) waitFor(w http.ResponseWriter, r *http.Request, q inbox.Query, since mail.ID, long time.Duration) error {
	ctx, cancel := context.WithTimeout(r.Context(), long)
	defer cancel()
	m, err := a.o.Store.Wait(ctx, named(r), q, since)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &fault{http.StatusRequestTimeout, "no such message came within " + long.String()}
	case err != nil:
		return err
	}
	return a.tell(w, r, m)
}
