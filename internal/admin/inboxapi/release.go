package inboxapi

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
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

// Released is what became of it.
type Released struct {
	ID       mail.ID     `json:"id"` // in the queue of the house, which tells by it what becomes of the message
	Released []smtp.Path `json:"released"`
	Refused  []Refused   `json:"refused,omitempty"` // who do not get it
}

// Refused is somebody to whom a message was not sent on, and why.
type Refused struct {
	To    smtp.Path `json:"to"`
	Reply string    `json:"reply"`
}

// maxRelease is to how many addresses a message is released at a time.
const maxRelease = 100

// ReleaseError is why a message was not sent on to anybody, for whoever asked.
type ReleaseError struct {
	What string
	Hint string // what to do about it; "" if nothing is known
}

func (e *ReleaseError) Error() string { return e.What }

func (a *API) release(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	var order Release
	if err := read(w, r, maxBody, &order); err != nil {
		return err
	}
	done, err := a.send(r.Context(), m, order)
	if err != nil {
		return err
	}
	return ok(w, done)
}

// send sends a message on. Whoever asked is told why not.
func (a *API) send(ctx context.Context, m inbox.Message, order Release) (Released, error) {
	if n := len(order.To); n == 0 || n > maxRelease {
		return Released{}, wrong("to names one address at least, and 100 at most")
	}
	for _, to := range order.To {
		if to.IsNull() {
			return Released{}, wrong("to has an empty address")
		}
	}
	if a.o.Release == nil {
		return Released{}, &admin.Fault{Status: http.StatusConflict, Message: "nothing leaves this inbox: it was started without a way out"}
	}
	if order.From.IsNull() {
		order.From, _ = smtp.ParsePath("<" + m.From + ">") // else from nobody
	}
	order.Message = m
	order.Open = func() (io.ReadSeekCloser, error) { return a.o.Store.Open(m.Inbox, m.ID) }
	done, err := a.o.Release(ctx, order)
	var refused *ReleaseError
	var reply *smtp.Reply
	switch {
	case errors.As(err, &refused):
		return done, &admin.Fault{Status: http.StatusBadGateway, Message: refused.What, Hint: refused.Hint}
	case errors.As(err, &reply):
		return done, &admin.Fault{Status: http.StatusBadGateway, Message: reply.Error()}
	}
	return done, err
}
