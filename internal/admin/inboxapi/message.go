package inboxapi

import (
	"net/http"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/letter"
)

// Letter is a message read for people.
type Letter = letter.Letter

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
