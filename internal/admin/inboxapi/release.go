package inboxapi

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/smtp"
)

// Release is an order to send a message on.
type Release struct {
	To   []smtp.Path `json:"to"`
	From smtp.Path   `json:"from,omitzero"` // of the envelope; null: as it came

	// Message is what is sent on, and Open opens its source.
	Message inbox.Message                     `json:"-"`
	Open    func() (io.ReadSeekCloser, error) `json:"-"`
}

// maxRelease is to how many addresses a message is released at a time.
const maxRelease = 100

// ReleaseError is why a message was not sent on, for whoever asked.
type ReleaseError struct{ What string }

func (e *ReleaseError) Error() string { return e.What }

type released struct {
	Released []smtp.Path `json:"released"`
}

func (a *API) release(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	var order Release
	if err := read(w, r, maxBody, &order); err != nil {
		return err
	}
	if n := len(order.To); n == 0 || n > maxRelease {
		return wrong("to names one address at least, and 100 at most")
	}
	for _, to := range order.To {
		if to.IsNull() {
			return wrong("to has an empty address")
		}
	}
	if order.From.IsNull() {
		order.From, _ = smtp.ParsePath("<" + m.From + ">") // else from nobody
	}
	order.Message = m
	order.Open = func() (io.ReadSeekCloser, error) { return a.o.Store.Open(m.Inbox, m.ID) }
	if err := a.send(r.Context(), order); err != nil {
		return err
	}
	return ok(w, released{order.To})
}

// send sends a message on. Whoever asked is told why not.
func (a *API) send(ctx context.Context, order Release) error {
	if a.o.Release == nil {
		return &fault{http.StatusConflict, "nothing leaves this inbox: it was started without a way out"}
	}
	err := a.o.Release(ctx, order)
	var refused *ReleaseError
	var reply *smtp.Reply
	switch {
	case errors.As(err, &refused):
		return &fault{http.StatusBadGateway, refused.What}
	case errors.As(err, &reply):
		return &fault{http.StatusBadGateway, reply.Error()}
	}
	return err
}
