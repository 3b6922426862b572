package inboxapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/scenario"
)

// Store is what the API needs of an [inbox.Store].
type Store interface {
	Inboxes() []inbox.Info
	List(name string, q inbox.Query, before mail.ID, most int) inbox.Page
	Get(name string, id mail.ID) (inbox.Message, error)
	Open(name string, id mail.ID) (io.ReadSeekCloser, error)
	Letter(ctx context.Context, name string, id mail.ID) (*Letter, error)
	Dialogue(name string, id mail.ID) ([]inbox.Line, error)
	Mark(name string, id mail.ID, read bool) error
	Delete(name string, ids ...mail.ID) int
	DeleteAll(name string, q inbox.Query) int
	Wait(ctx context.Context, name string, q inbox.Query, since mail.ID) (inbox.Message, error)
	Put(ctx context.Context, a inbox.Arrival, text io.Reader) (inbox.Message, error)
}

// Scenarios is who plays scenarios.
type Scenarios interface {
	Play(name string, s *scenario.Scenario) bool
	Playing(name string) []scenario.Rule
}

// Options set up an [API].
type Options struct {
	Store     Store     // needed
	Scenarios Scenarios // nil: none are played
	// Release sends a message on to real addresses. An error that is a [*smtp.Reply] or of
	// type [ReleaseError] is told to whoever asked. nil: nothing leaves the house.
	Release func(ctx context.Context, r Release) error
	Version string
	Log     *slog.Logger // nil is silence
}

// API answers. Make one with [New].
type API struct {
	o   Options
	mux *http.ServeMux
}

// Bounds of what is asked and answered.
const (
	maxBody    = 1 << 20          // octets of a JSON body
	maxSend    = 40 << 20         // octets of a message that comes as JSON
	writeTime  = 30 * time.Second // for an answer
	sourceTime = 5 * time.Minute  // for a message, or a part of one
	maxWait    = 5 * time.Minute
	usualWait  = 30 * time.Second
	usualPage  = 50
	maxPage    = 1000
)

// route is one call of the API: the mux and the document are made of these.
type route struct {
	method, path string
	summary      string
	query        []param
	body         any // an example of what is sent; nil: nothing
	answer       any // an example of what is answered as JSON; nil: kind says what
	kind         string
	status       int // of a good answer; 0: 200
	time         time.Duration
	do           func(w http.ResponseWriter, r *http.Request) error
}

// param is one of a query.
type param struct{ name, what string }

var (
	byQuery = param{"q", `search, such as: from:bob subject:"big sale" has:attachment -is:read after:2h words`}
	byLimit = param{"limit", "how many at most; 50, and never more than 1000"}
)

// routes are all calls.
func (a *API) routes() []route {
	const messages, one = "/api/v1/inbox/{name}/messages", "/api/v1/inbox/{name}/messages/{id}"
	own := []route{
		{method: "GET", path: "/api/v1/inboxes", summary: "The inboxes that have a message", answer: inboxList{}, do: a.inboxes},
		{
			method: "GET", path: messages, summary: "Messages of an inbox, newest first; * is every inbox", do: a.list, answer: page{},
			query: []param{byQuery, {"before", "the last id of the page before"}, byLimit},
		},
		{method: "DELETE", path: messages, summary: "Delete all messages of an inbox, or those of a search", query: []param{byQuery}, answer: deleted{}, do: a.deleteAll},
		{
			method: "GET", path: "/api/v1/inbox/{name}/wait", summary: "Wait for a message, and read it", do: a.wait, answer: detail{}, time: maxWait + writeTime,
			query: []param{
				{"to", "a word among the recipients"},
				{"from", "a word in the sender"},
				{"subject", "a word in the subject"},
				byQuery,
				{"since", "id of a message; only one that came later counts"},
				{"timeout", "how long, such as 10s; 30s, and never more than 5m"},
			},
		},
		{method: "GET", path: one, summary: "A message, read for people: text, links, one-time codes, parts, checks, problems", answer: detail{}, do: a.get},
		{method: "PATCH", path: one, summary: "Mark a message as read or unread", body: mark{}, answer: inbox.Message{}, do: a.mark},
		{method: "DELETE", path: one, summary: "Delete a message", answer: deleted{}, do: a.delete},
		{method: "GET", path: one + "/source", summary: "The message as it came", kind: "message/rfc822", time: sourceTime, do: a.source},
		{method: "GET", path: one + "/part/{path}", summary: "The content of a part, decoded, as a download; path is such as 1.2, and 0 the message itself", kind: "application/octet-stream", time: sourceTime, do: a.part},
		{method: "GET", path: one + "/html", summary: "The HTML, made safe, for a sandboxed frame", query: []param{{"remote", "1: images of other hosts are loaded"}}, kind: "text/html", do: a.html},
		{method: "GET", path: one + "/transcript", summary: "The SMTP dialogue in which it came, with times", answer: transcript{}, do: a.transcript},
		{method: "POST", path: one + "/release", summary: "Send a message on to real addresses", body: Release{}, answer: released{}, do: a.release},
		{method: "GET", path: "/api/v1/inbox/{name}/scenario", summary: "How the inbox misbehaves; * is for every inbox", answer: rules{}, do: a.scenario},
		{method: "PUT", path: "/api/v1/inbox/{name}/scenario", summary: "Begin a scenario; tries are counted from now", body: rules{}, answer: rules{}, do: a.play},
		{method: "DELETE", path: "/api/v1/inbox/{name}/scenario", summary: "End a scenario", answer: rules{}, do: a.endPlay},
		{method: "GET", path: "/api/v1/openapi.json", summary: "This document", kind: "application/json", do: a.document},
	}
	return append(own, a.mailpit()...)
}

// New makes an API.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{o: o, mux: http.NewServeMux()}
	for _, r := range a.routes() {
		a.mux.HandleFunc(r.method+" "+r.path, a.answered(r))
	}
	return a
}

// Patterns are where the API is to be found on a server, as of [http.ServeMux].
func (a *API) Patterns() []string { return []string{"/api/v1/", "/view/"} }

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// answered wraps what answers a route: its time, and what goes wrong.
func (a *API) answered(of route) http.HandlerFunc {
	long := of.time
	if long == 0 {
		long = writeTime
	}
	return func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		by := time.Now().Add(long)
		_, _ = c.SetWriteDeadline(by), c.SetReadDeadline(by) // a recorder in a test has none
		ctx, cancel := context.WithTimeout(r.Context(), long)
		defer cancel()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if err := of.do(w, r.WithContext(ctx)); err != nil {
			a.fault(w, of, err)
		}
	}
}

// Fault is an error that whoever asked is told.
type fault struct {
	status int
	what   string
}

func (f *fault) Error() string { return f.what }

func wrong(what string) error { return &fault{http.StatusBadRequest, what} }

// fault tells what went wrong: what whoever asked can mend, in words; what is ours, in the log.
func (a *API) fault(w http.ResponseWriter, of route, err error) {
	var f *fault
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
	case errors.As(err, &large):
		f = &fault{http.StatusRequestEntityTooLarge, "the body is too large"}
	case errors.Is(err, inbox.ErrNotFound):
		f = &fault{http.StatusNotFound, err.Error()}
	case errors.Is(err, inbox.ErrClosed):
		f = &fault{http.StatusServiceUnavailable, err.Error()}
	default:
		a.o.Log.Error("the inbox cannot answer", "path", of.path, "err", err)
		f = &fault{http.StatusInternalServerError, "the inbox cannot answer; its log says why"}
	}
	w.Header().Del("Content-Disposition")
	w.Header().Del("Content-Security-Policy")
	// "Error" is how Mailpit says it.
	reply(w, f.status, map[string]string{"error": f.what, "Error": f.what})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // else the client has gone
}

func ok(w http.ResponseWriter, v any) error {
	reply(w, http.StatusOK, v)
	return nil
}

// read reads a body of JSON.
func read(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	err := d.Decode(into)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return err
	case err != nil:
		return wrong("the body is not the JSON that is wanted: " + err.Error())
	}
	return nil
}

// named is the inbox of a path; * is every inbox.
func named(r *http.Request) string {
	name := r.PathValue("name")
	if name == "*" {
		return ""
	}
	return inbox.Fold(name)
}

// message is the message of a path.
func (a *API) message(r *http.Request) (inbox.Message, error) {
	id, err := mail.ParseID(r.PathValue("id"))
	if err != nil {
		return inbox.Message{}, inbox.ErrNotFound
	}
	return a.o.Store.Get(named(r), id)
}

// search is the query of a request.
func search(r *http.Request) (inbox.Query, error) {
	q, err := inbox.ParseQuery(r.FormValue("q"))
	if err != nil {
		return q, wrong(err.Error())
	}
	return q, nil
}

// quote makes a file name fit for a header field.
func quote(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r >= 0x7f {
			return '_'
		}
		return r
	}, name)
}
