package admin

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Tally counts recipients that a filter chooses, in a part of the queue. Add
// puts parts together.
type Tally struct {
	Messages     int64   `json:"messages"`
	Recipients   int64   `json:"recipients"`
	Bytes        int64   `json:"bytes"` // of the messages
	Destinations []Group `json:"destinations"`
	Next         string  `json:"next,omitempty"` // where the next part begins

	index map[string]int // of Destinations, for Add
}

// Group is what of a tally waits for one destination.
type Group struct {
	Destination string    `json:"destination"`
	Recipients  int64     `json:"recipients"`
	Fresh       int64     `json:"fresh,omitempty"`
	Deferred    int64     `json:"deferred,omitempty"`
	Held        int64     `json:"held,omitempty"`
	Oldest      time.Time `json:"oldest"` // arrival
	Newest      time.Time `json:"newest"`
	Last        *Last     `json:"last,omitempty"` // the latest attempt of any
}

func (a *API) tally(r *http.Request) (any, error) {
	v, err := asked(r, "filter", "after")
	if err != nil {
		return nil, err
	}
	q, err := queryOf(v.Get("filter"), v.Get("after"), 0)
	if err != nil {
		return nil, err
	}
	page, err := a.opts.Spool.List(r.Context(), q)
	if err != nil {
		return nil, err
	}
	return tallyOf(&page, q.After.ID), nil
}

// tallyOf counts a page. The message before it was counted with the page before.
func tallyOf(page *spool.Page, before mail.ID) Tally {
	t := Tally{Recipients: int64(len(page.Items)), Next: nextOf(page), Destinations: []Group{}}
	groups := map[string]*Group{}
	for i := range page.Items {
		it := &page.Items[i]
		if it.Envelope.ID != before {
			before = it.Envelope.ID
			t.Messages++
			t.Bytes += it.Envelope.Size
		}
		g := groups[it.Standing.Destination]
		if g == nil {
			g = &Group{Destination: it.Standing.Destination}
			groups[g.Destination] = g
		}
		g.merge(groupOfOne(it))
	}
	for _, g := range groups {
		t.Destinations = append(t.Destinations, *g)
	}
	t.Sort()
	return t
}

func groupOfOne(it *spool.Item) *Group {
	g := &Group{Recipients: 1, Oldest: it.Envelope.Arrived, Newest: it.Envelope.Arrived, Last: lastOf(&it.Standing.Last)}
	switch it.Place {
	case spool.Fresh:
		g.Fresh = 1
	case spool.Waiting:
		g.Deferred = 1
	case spool.Held:
		g.Held = 1
	}
	return g
}

func (g *Group) merge(m *Group) {
	g.Recipients += m.Recipients
	g.Fresh += m.Fresh
	g.Deferred += m.Deferred
	g.Held += m.Held
	if g.Oldest.IsZero() || m.Oldest.Before(g.Oldest) {
		g.Oldest = m.Oldest
	}
	if m.Newest.After(g.Newest) {
		g.Newest = m.Newest
	}
	if m.Last != nil && (g.Last == nil || m.Last.At.After(g.Last.At)) {
		g.Last = m.Last
	}
}

// Sort puts the destinations with most recipients first.
func (t *Tally) Sort() {
	t.index = nil
	slices.SortFunc(t.Destinations, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Recipients, a.Recipients), cmp.Compare(a.Destination, b.Destination))
	})
}

// Add counts the next part, and takes its Next. The destinations are in order
// after Sort.
func (t *Tally) Add(part *Tally) {
	if t.index == nil {
		t.index = map[string]int{}
	}
	t.Messages += part.Messages
	t.Recipients += part.Recipients
	t.Bytes += part.Bytes
	t.Next = part.Next
	for i := range part.Destinations {
		g := &part.Destinations[i]
		k, there := t.index[g.Destination]
		if !there {
			k = len(t.Destinations)
			t.index[g.Destination] = k
			t.Destinations = append(t.Destinations, Group{Destination: g.Destination})
		}
		t.Destinations[k].merge(g)
	}
}
