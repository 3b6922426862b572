package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/letter"
	"github.com/posthouse/posthouse/internal/mail"
)

// Inboxes is what is asked of an [inbox.Store].
type Inboxes interface {
	Inboxes() []inbox.Info
	List(name string, q inbox.Query, before mail.ID, most int) inbox.Page
	Get(name string, id mail.ID) (inbox.Message, error)
	Open(name string, id mail.ID) (io.ReadSeekCloser, error)
	Letter(ctx context.Context, name string, id mail.ID) (*letter.Letter, error)
	Dialogue(name string, id mail.ID) ([]inbox.Line, error)
	Mark(name string, id mail.ID, read bool) error
	Tag(name string, id mail.ID, tags []string) error
	Tags(name string) map[string]int
	Delete(name string, ids ...mail.ID) int
	DeleteAll(name string, q inbox.Query) int
}

// inboxAPI is the pattern under which the API of the inboxes is among [Options].Beside.
const inboxAPI = "/api/v1/"

// inboxData is what a page of messages shows.
type inboxData struct {
	In      string // the inbox; "": all of them
	Query   string
	Problem string
	Boxes   []inbox.Info
	Page    inbox.Page
	Next    string // where the next page begins
	First   bool
	Deleted string // how many were deleted just now
	All     int    // of all inboxes
	Unread  int
	Server  string // where mail comes in
	tags    map[string]int
}

func (c *Console) inboxPage(v *visit) (any, error) {
	q := v.URL.Query()
	d := inboxData{In: q.Get("in"), Query: q.Get("q"), Boxes: c.opts.Inboxes.Inboxes(), First: q.Get("before") == "", Server: c.opts.Receives}
	d.tags = c.opts.Inboxes.Tags(d.In)
	if n := q.Get("deleted"); n != "" && strings.Trim(n, "0123456789") == "" && len(n) < 9 {
		d.Deleted = n
	}
	for _, b := range d.Boxes {
		d.All += b.Messages
		d.Unread += b.Unread
	}
	wanted, err := inbox.ParseQuery(d.Query)
	if err != nil {
		d.Problem = err.Error()
		return &d, nil
	}
	var before mail.ID
	if s := q.Get("before"); s != "" {
		if before, err = mail.ParseID(s); err != nil {
			return nil, &fault{status: http.StatusBadRequest, key: "error.unreadable"}
		}
	}
	d.Page = c.opts.Inboxes.List(d.In, wanted, before, onPage)
	if n := len(d.Page.Messages); d.Page.More && n > 0 {
		d.Next = d.Page.Messages[n-1].ID.String()
	}
	return &d, nil
}

// delete deletes messages that were picked, one, or all that a query finds.
func (c *Console) delete(v *visit) (answer, error) {
	in, back := v.PostFormValue("in"), own(v.PostFormValue("back"))
	gone := 0
	if v.PostFormValue("scope") == "all" {
		q, err := inbox.ParseQuery(v.PostFormValue("q"))
		if err != nil {
			return nil, &fault{status: http.StatusBadRequest, message: err.Error()}
		}
		if v.PostFormValue("confirmed") != "yes" {
			n := c.opts.Inboxes.List(in, q, mail.ID{}, 1).Found
			return &drawn{body: "emptying", section: "inbox", data: &inboxData{In: in, Query: v.PostFormValue("q"), All: n}}, nil
		}
		gone = c.opts.Inboxes.DeleteAll(in, q)
	} else {
		ids, err := picked(v.PostForm["pick"])
		if err != nil {
			return nil, err
		}
		gone = c.opts.Inboxes.Delete(in, ids...)
	}
	c.Changed(TopicInbox)
	sep := "?"
	if strings.Contains(back, "?") {
		sep = "&"
	}
	return redirect(fmt.Sprintf("%s%sdeleted=%d", back, sep, gone)), nil
}

// mark marks messages that were picked as read or unread.
func (c *Console) mark(v *visit) (answer, error) {
	ids, err := picked(v.PostForm["pick"])
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		err := c.opts.Inboxes.Mark(v.PostFormValue("in"), id, v.PostFormValue("read") == "yes")
		if err != nil && !errors.Is(err, inbox.ErrNotFound) {
			return nil, err
		}
	}
	c.Changed(TopicInbox)
	return redirect(own(v.PostFormValue("back"))), nil
}

// tag gives a message other tags, which come with commas between them.
func (c *Console) tag(v *visit) (answer, error) {
	_, id, err := named(v)
	if err != nil {
		return nil, err
	}
	tags, err := inbox.ParseTags(strings.FieldsFunc(v.PostFormValue("tags"), func(r rune) bool { return strings.ContainsRune(",，、;\r\n", r) }))
	if err != nil {
		return nil, &fault{status: http.StatusBadRequest, message: err.Error()}
	}
	in := v.PostFormValue("in")
	if err := c.opts.Inboxes.Tag(in, id, tags); err != nil {
		return nil, letterError(err)
	}
	c.Changed(TopicInbox)
	return redirect(pathOf("/inbox/"+id.String(), "in", in, "tab", v.PostFormValue("tab"))), nil
}

// tagChip is a tag that messages of the inbox have, and the search for it.
type tagChip struct {
	Name, Query string
	Messages    int
}

// maxChips is how many tags are a click away.
const maxChips = 30

// Tags are those that messages of the inbox have, those of the most of them first.
func (d *inboxData) Tags() []tagChip {
	var all []tagChip
	for name, n := range d.tags {
		all = append(all, tagChip{name, tagQuery(name), n})
	}
	slices.SortFunc(all, func(a, b tagChip) int { return cmp.Or(b.Messages-a.Messages, strings.Compare(a.Name, b.Name)) })
	return all[:min(len(all), maxChips)]
}

// tagQuery is the search for a tag.
func tagQuery(tag string) string {
	if strings.ContainsFunc(tag, unicode.IsSpace) {
		return `tag:"` + tag + `"`
	}
	return "tag:" + tag
}

func picked(texts []string) ([]mail.ID, error) {
	switch {
	case len(texts) == 0:
		return nil, &fault{status: http.StatusBadRequest, key: "error.nothing-picked"}
	case len(texts) > maxPicked:
		return nil, &fault{status: http.StatusBadRequest, key: "error.too-many-picked", args: []any{maxPicked}}
	}
	ids := make([]mail.ID, len(texts))
	for i, s := range texts {
		var err error
		if ids[i], err = mail.ParseID(s); err != nil {
			return nil, &fault{status: http.StatusBadRequest, message: err.Error()}
		}
	}
	return ids, nil
}

// named are the inbox and the message that a path and a query name.
func named(v *visit) (in string, id mail.ID, err error) {
	id, err = mail.ParseID(v.PathValue("id"))
	if err != nil {
		err = noLetter()
	}
	return v.URL.Query().Get("in"), id, err
}

func noLetter() *fault { return &fault{status: http.StatusNotFound, key: "error.no-letter"} }

// letterError says what a person is told about a message that cannot be shown.
func letterError(err error) error {
	if errors.Is(err, inbox.ErrNotFound) {
		return noLetter()
	}
	return err
}

// release sends a message on to a real address, by the API of the inboxes.
func (c *Console) release(v *visit) (answer, error) {
	_, id, err := named(v)
	if err != nil {
		return nil, err
	}
	in := v.PostFormValue("in")
	to := strings.FieldsFunc(v.PostFormValue("to"), func(r rune) bool { return strings.ContainsRune(" ,;\r\n\t", r) })
	if len(to) == 0 {
		return nil, &fault{status: http.StatusBadRequest, key: "error.no-address"}
	}
	path := inboxAPI + "inbox/" + url.PathEscape(in) + "/messages/" + id.String() + "/release"
	done, err := ask[struct{ Released []string }](v.Context(), house{c.opts.Beside[inboxAPI]}, v, http.MethodPost, path, nil, map[string]any{"to": to})
	if err != nil {
		return nil, err
	}
	return redirect(pathOf("/inbox/"+id.String(), "in", in, "released", strings.Join(done.Released, ", "))), nil
}

// canRelease reports whether messages can be sent on.
func (c *Console) canRelease() bool { return c.opts.Beside[inboxAPI] != nil }

// person is the name of an author, or else the address.
func person(author string) string {
	name, address, _ := strings.Cut(author, " <")
	if name = strings.TrimSpace(name); name != "" {
		return name
	}
	return strings.TrimSuffix(address, ">")
}
