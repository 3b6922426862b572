package house

import (
	"context"
	"io"
	"strings"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// head is the first part of a message's text.
func (h *House) head(id mail.ID) string {
	c, err := h.Engine().Open(context.Background(), id)
	if err != nil {
		return ""
	}
	r, err := c.Open()
	if err != nil {
		return ""
	}
	defer r.Close()
	var b strings.Builder
	_, _ = io.CopyN(&b, r, 4000) // it may be shorter
	return b.String()
}

// standings says which recipients of a message are in the spool.
func (h *House) standings(id mail.ID, recipients int) ([]bool, error) {
	page, err := h.Engine().List(context.Background(), spool.Query{After: spool.Cursor{ID: id, Recipient: -1}, Limit: recipients})
	there := make([]bool, recipients)
	for i := range page.Items {
		if it := &page.Items[i]; it.Envelope.ID == id {
			there[it.Standing.Recipient] = true
		}
	}
	return there, err
}

// journal is what the journal tells of a message.
func (h *House) journal(id string) (all []event.Entry) {
	parsed, _ := mail.ParseID(id) // it was one before
	page, err := h.Engine().Facts(context.Background(), spool.FactQuery{ID: parsed})
	if err != nil {
		h.world.Fatal(err)
	}
	for _, f := range page.Facts {
		if e, err := event.Parse(f.Data); err == nil {
			all = append(all, event.Entry{ID: f.ID, At: f.At, Seq: f.Seq, Event: e})
		}
	}
	return all
}

// items are all that is in the spool.
func (h *House) items() (all []spool.Item) {
	q := spool.Query{}
	for {
		page, err := h.Engine().List(context.Background(), q)
		if err != nil {
			h.world.Fatal(err)
		}
		all = append(all, page.Items...)
		if !page.More {
			return all
		}
		q.After = page.Next
	}
}
