package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/find"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Finder is what is asked of a [find.Index].
type Finder interface {
	Find(ctx context.Context, q find.Query) (find.Page, error)
	Behind() time.Duration
}

// FoundPage is a part of what a search has found, the newest first. It may be empty and
// yet have a Next, when the search is long.
type FoundPage struct {
	Found  []Found `json:"found"`
	Next   string  `json:"next,omitempty"`
	Behind int64   `json:"behind_ms"` // the journal of so long ago was searched
}

// Found is a message that was found, in short.
type Found struct {
	ID        mail.ID        `json:"id"`
	At        time.Time      `json:"at"`             // when it was taken in
	From      *smtp.Path     `json:"from,omitempty"` // "": the null sender; none: the journal has forgotten it
	To        []smtp.Path    `json:"to"`             // the first of them
	More      int            `json:"more,omitempty"` // recipients that are not listed
	Subject   string         `json:"subject,omitempty"`
	MessageID string         `json:"message_id,omitempty"`
	Size      int64          `json:"size,omitempty"`
	Login     string         `json:"login,omitempty"`
	Fates     map[string]int `json:"fates"`             // recipients, by what became of them so far
	Last      string         `json:"last,omitempty"`    // reply
	LastAt    time.Time      `json:"last_at,omitzero"`  // of what was told last
	Host      string         `json:"host,omitempty"`    // that gave it
	Suspect   bool           `json:"suspect,omitempty"` // somebody may have got it twice
	Damaged   bool           `json:"damaged,omitempty"`
}

// foundTo is how many recipients of a message are listed.
const foundTo = 5

func (a *API) search(r *http.Request) (any, error) {
	v, err := asked(r, "q", "after", "limit")
	if err != nil {
		return nil, err
	}
	q := find.Query{Words: v.Get("q"), After: v.Get("after")}
	if q.Limit, err = limit(v.Get("limit")); err != nil {
		return nil, err
	}
	page, err := a.opts.Find.Find(r.Context(), q)
	var syntax *find.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, wrong("%v", err)
	case err != nil:
		return nil, err
	}
	out := FoundPage{Found: make([]Found, len(page.Found)), Next: page.Next, Behind: page.Behind.Milliseconds()}
	for i := range page.Found {
		out.Found[i] = foundOf(&page.Found[i])
	}
	return out, nil
}

func foundOf(m *find.Message) Found {
	f := Found{ID: m.ID, At: m.ID.Arrived().UTC(), To: []smtp.Path{}, Fates: map[string]int{}}
	fates := map[int]mail.Fate{}
	for i := range m.Entries {
		e := &m.Entries[i]
		f.LastAt = e.At
		switch e := e.Event.(type) {
		case *event.Accepted:
			f.accepted(e, m.Entries[i].At)
		case *event.Attempt:
			f.attempt(e, fates)
		case *event.Decided:
			f.attempt((*event.Attempt)(e), fates)
		case *event.SecondCopy:
			f.Suspect = true
		case *event.Damaged:
			f.Damaged = true
		}
	}
	for _, fate := range fates {
		f.Fates[fate.String()]++
	}
	return f
}

func (f *Found) accepted(e *event.Accepted, at time.Time) {
	f.At, f.From, f.Subject, f.Size, f.MessageID, f.Login = at, &e.From, e.Subject, e.Size, e.MessageID, e.Source.Login
	f.To = make([]smtp.Path, min(len(e.To), foundTo))
	for i := range f.To {
		f.To[i] = e.To[i].To
	}
	f.More = len(e.To) - len(f.To) + e.More
}

func (f *Found) attempt(e *event.Attempt, fates map[int]mail.Fate) {
	fates[e.Outcome.Recipient] = e.Outcome.Fate
	f.Last, f.Host = replyLine(e.Outcome.Reply), e.Outcome.Host
}
