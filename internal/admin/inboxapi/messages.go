package inboxapi

import (
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/letter"
	"github.com/posthouse/posthouse/internal/mail"
)

// Letter is a message read for people.
type Letter = letter.Letter

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
	var before mail.ID
	if s := r.FormValue("before"); s != "" {
		if before, err = mail.ParseID(s); err != nil {
			return wrong("before: " + err.Error())
		}
	}
	most, err := number(r, "limit", usualPage, 1, maxPage)
	if err != nil {
		return err
	}
	return ok(w, page(a.o.Store.List(named(r), q, before, most)))
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
	Read bool `json:"read"`
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
	if err := a.o.Store.Mark(m.Inbox, m.ID, want.Read); err != nil {
		return err
	}
	m.Read = want.Read
	return ok(w, m)
}

// detail is a message as one reads it.
type detail struct {
	inbox.Message
	Header         []field   `json:"header"`
	Text           string    `json:"text"`
	HTML           string    `json:"html"` // as it came; .../html has it made safe
	Links          []link    `json:"links"`
	Codes          []string  `json:"codes"`
	Parts          []part    `json:"parts"`
	Checks         []check   `json:"checks"`
	Authentication []result  `json:"authentication"`
	Faults         []problem `json:"faults"` // what is wrong with it
}

type field struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

type link struct {
	URL   string `json:"url"`
	Text  string `json:"text"`
	Image bool   `json:"image"`
}

type part struct {
	Path       string `json:"path"`
	Type       string `json:"type"`
	Charset    string `json:"charset,omitempty"`
	Name       string `json:"name,omitempty"`
	ContentID  string `json:"content_id,omitempty"`
	Size       int64  `json:"size"`
	Attachment bool   `json:"attachment"`
}

type check struct {
	What    string `json:"what"`
	Serious bool   `json:"serious"`
	Count   int    `json:"count"`
	Who     string `json:"who,omitempty"`
}

type result struct {
	Host    string `json:"host"`
	Method  string `json:"method"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason,omitempty"`
}

type problem struct {
	Part string `json:"part,omitempty"`
	What string `json:"what"`
}

func (a *API) get(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	return a.tell(w, r, m)
}

// tell answers with a message, read for people.
func (a *API) tell(w http.ResponseWriter, r *http.Request, m inbox.Message) error {
	l, err := a.o.Store.Letter(r.Context(), m.Inbox, m.ID)
	if err != nil {
		return err
	}
	return ok(w, describe(m, l))
}

func describe(m inbox.Message, l *Letter) detail {
	d := detail{
		Message: m, Text: l.Text(), HTML: l.HTML(), Codes: append([]string{}, l.Codes()...),
		Header: []field{}, Links: []link{}, Parts: []part{}, Checks: []check{}, Authentication: []result{}, Faults: []problem{},
	}
	for _, f := range l.Header {
		d.Header = append(d.Header, field{f.Name, f.Text})
	}
	for _, k := range l.Links() {
		d.Links = append(d.Links, link{k.URL, k.Text, k.Image})
	}
	attached := map[*letter.Part]bool{}
	for _, p := range l.Attachments() {
		attached[p] = true
	}
	for _, p := range l.Parts() {
		d.Parts = append(d.Parts, part{pathOf(p), p.Type, p.Charset, p.Name, p.ContentID, p.Size(), attached[p]})
	}
	for _, c := range l.Checks() {
		d.Checks = append(d.Checks, check{c.What, c.Serious, c.Count, c.Who})
	}
	for _, results := range l.Results() {
		for _, m := range results.Methods {
			d.Authentication = append(d.Authentication, result{results.ID, m.Method, string(m.Verdict), m.Reason})
		}
	}
	for _, p := range l.Problems {
		d.Faults = append(d.Faults, problem{p.Part, p.What})
	}
	return d
}

// pathOf is a part's path in an address; 0 is the message itself.
func pathOf(p *letter.Part) string {
	if p.Path == "" {
		return "0"
	}
	return p.Path
}

func (a *API) source(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	return a.give(w, r, m, "message/rfc822")
}

// give answers with the source of a message.
func (a *API) give(w http.ResponseWriter, r *http.Request, m inbox.Message, kind string) error {
	f, err := a.o.Store.Open(m.Inbox, m.ID)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("Content-Disposition", `attachment; filename="`+m.ID.String()+`.eml"`)
	http.ServeContent(w, r, "", m.Arrived, f)
	return nil
}

func (a *API) part(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	return a.givePart(w, r, m, r.PathValue("path"))
}

// givePart answers with the content of a part: an image as what it is, so that a page can show it;
// anything else as a download of no type that a browser would open.
func (a *API) givePart(w http.ResponseWriter, r *http.Request, m inbox.Message, path string) error {
	l, err := a.o.Store.Letter(r.Context(), m.Inbox, m.ID)
	if err != nil {
		return err
	}
	if path == "0" {
		path = ""
	}
	p := l.Part(path)
	if p == nil {
		return &fault{http.StatusNotFound, "the message has no such part"}
	}
	kind := "application/octet-stream"
	switch p.Type {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		kind = p.Type
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("Content-Disposition", disposition(p))
	_, err = io.Copy(w, p.Open())
	_ = err // the client has gone
	return nil
}

// disposition names the file under which a part is saved (RFC 6266).
func disposition(p *letter.Part) string {
	name := p.Name
	if name == "" {
		name = "part-" + pathOf(p)
	}
	name = filepath.Base(name)
	return `attachment; filename="` + quote(name) + `"; filename*=UTF-8''` + url.PathEscape(name)
}

func (a *API) html(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	return a.giveHTML(w, r, m, r.FormValue("remote") == "1")
}

// giveHTML answers with the HTML of a message for a frame: made safe, and under a policy of its own,
// by which nothing runs and nothing is loaded but the images of the message.
func (a *API) giveHTML(w http.ResponseWriter, r *http.Request, m inbox.Message, remote bool) error {
	l, err := a.o.Store.Letter(r.Context(), m.Inbox, m.ID)
	if err != nil {
		return err
	}
	images := "'self' data:"
	if remote {
		images += " http: https:"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src "+images+"; form-action 'none'; base-uri 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	base := "/api/v1/inbox/" + url.PathEscape(m.Inbox) + "/messages/" + m.ID.String() + "/part/"
	safe := l.Safe(letter.Safe{Remote: remote, CID: func(id string) string {
		if p := l.ByCID(id); p != nil {
			return base + pathOf(p)
		}
		return ""
	}})
	_, _ = io.WriteString(w, "<!DOCTYPE html><meta charset=utf-8>"+safe.HTML)
	return nil
}

type transcript struct {
	Lines []inbox.Line `json:"lines"`
}

func (a *API) transcript(w http.ResponseWriter, r *http.Request) error {
	m, err := a.message(r)
	if err != nil {
		return err
	}
	lines, err := a.o.Store.Dialogue(m.Inbox, m.ID)
	if err != nil {
		return err
	}
	return ok(w, transcript{append([]inbox.Line{}, lines...)})
}

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
	var since mail.ID
	if s := r.FormValue("since"); s != "" {
		if since, err = mail.ParseID(s); err != nil {
			return wrong("since: " + err.Error())
		}
	}
	return a.waitFor(w, r, q, since, min(long, maxWait))
}
