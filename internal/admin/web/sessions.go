package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/find"
)

// sessionsData is who speaks with the house.
type sessionsData struct {
	admin.SessionPage
	Cut bool // one was cut just now
}

func (c *Console) sessionsPage(v *visit) (any, error) {
	page, err := get[admin.SessionPage](v, "/v1/sessions", nil)
	return &sessionsData{page, v.URL.Query().Get("cut") == "1"}, err
}

// sessionData is one session, with what was said.
type sessionData struct {
	admin.Session
	Hidden int // lines at the beginning that a page does not show
}

// maxLines is how many lines of a session a page shows: the last ones.
const maxLines = 1000

func (c *Console) sessionPage(v *visit) (any, error) {
	s, err := get[admin.Session](v, "/v1/sessions/"+url.PathEscape(v.PathValue("id")), nil)
	if err != nil {
		return nil, err
	}
	d := &sessionData{Session: s}
	if d.Hidden = len(s.Lines) - maxLines; d.Hidden > 0 {
		d.Lines = s.Lines[d.Hidden:]
	}
	d.Hidden = max(d.Hidden, 0)
	return d, nil
}

// Lives reports whether it goes on.
func (d *sessionData) Lives() bool { return d.Ended.IsZero() }

// Title is who it is with.
func (d *sessionData) Title() string { return cmp.Or(d.Hello, d.Name, d.Peer) }

// cut ends a session at once.
func (c *Console) cut(v *visit) (answer, error) {
	_, err := ask[map[string]any](v.Context(), c.api, v, http.MethodPost, "/v1/sessions/"+url.PathEscape(v.PathValue("id"))+"/cut", nil, nil)
	c.Changed(TopicSessions)
	return redirect("/sessions?cut=1"), err
}

// findData is what is looked for in the journal, and what was found: the newest, if
// nothing is looked for.
type findData struct {
	Query   string
	Page    admin.FoundPage
	Problem string
}

func (c *Console) findPage(v *visit) (any, error) {
	q := v.URL.Query()
	d := &findData{Query: q.Get("q")}
	after := q.Get("after")
	for range rounds {
		page, err := get[admin.FoundPage](v, "/v1/find", values("q", d.Query, "after", after))
		var said *admin.Fault
		if errors.As(err, &said) && said.Status == http.StatusBadRequest {
			d.Problem = said.Message
			return d, nil
		}
		if err != nil {
			return nil, err
		}
		d.Page = page
		if after = page.Next; after == "" || len(page.Found) > 0 {
			break
		}
	}
	return d, nil
}

// Help tells the words of a search.
func (d *findData) Help() string { return find.Help }

// Behind is how old the journal is that was searched.
func (d *findData) Behind() time.Duration { return time.Duration(d.Page.Behind) * time.Millisecond }

// Mood is the colour of what became of a message: that of its gravest fate.
func (d *findData) Mood(fate string) string { return moodOf(fate) }

// has reports whether the control API answers to a path at all. It is asked for what it
// refuses, so that nothing is done.
func (c *Console) has(path string) bool {
	var heard listener
	r, err := http.NewRequest(http.MethodGet, path+"?probe=1", http.NoBody)
	if err != nil || c.opts.API == nil {
		return false
	}
	c.opts.API.ServeHTTP(&heard, r)
	return heard.status != http.StatusNotFound
}
