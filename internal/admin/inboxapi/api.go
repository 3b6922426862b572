package inboxapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
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
	Tag(name string, id mail.ID, tags []string) error
	Tags(name string) map[string]int
	Delete(name string, ids ...mail.ID) int
	DeleteAll(name string, q inbox.Query) int
	Wait(ctx context.Context, name string, q inbox.Query, since mail.ID) (inbox.Message, error)
	Follow(name string, q inbox.Query, since mail.ID) *inbox.Reader
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
	Release func(ctx context.Context, r Release) (Released, error)
	Version string
	Started time.Time    // of the program, for Mailpit's info; zero: now
	Log     *slog.Logger // nil is silence
}

// API answers. Make one with [New].
type API struct {
	o       Options
	mux     *http.ServeMux
	streams chan struct{} // has one for each that is open
	// pictures has one for each that is made small now: they take memory.
	pictures chan struct{}
	closing  context.Context
	close    context.CancelFunc
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
	maxStreams = 200
	// maxPictures are made small at a time.
	maxPictures = 2
)

// New makes an API.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Started.IsZero() {
		o.Started = time.Now()
	}
	a := &API{o: o, mux: http.NewServeMux(), streams: make(chan struct{}, maxStreams), pictures: make(chan struct{}, maxPictures)}
	a.closing, a.close = context.WithCancel(context.Background())
	for _, r := range a.routes() {
		a.mux.HandleFunc(r.Pattern, a.answered(r))
	}
	a.mux.HandleFunc("/", a.answered(route{do: nowhere}))
	return a
}

// Close ends streams, and the patience of those who wait: a server that ends does not wait for them.
func (a *API) Close() { a.close() }

// Patterns are where the API is to be found on a server, as of [http.ServeMux].
func (a *API) Patterns() []string { return []string{"/api/v1/", "/view/"} }

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// answered wraps what answers a route: its time, and what goes wrong.
func (a *API) answered(of route) http.HandlerFunc {
	long := cmp.Or(of.time, writeTime)
	return func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		by := time.Now().Add(long)
		_, _ = c.SetWriteDeadline(by), c.SetReadDeadline(by) // a recorder in a test has none
		ctx, cancel := context.WithTimeout(r.Context(), long)
		defer cancel()
		defer context.AfterFunc(a.closing, cancel)()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if err := of.do(w, r.WithContext(ctx)); err != nil {
			a.fault(w, r, err)
		}
	}
}

func nowhere(_ http.ResponseWriter, r *http.Request) error {
	return &admin.Fault{
		Status: http.StatusNotFound, Message: "there is no " + r.Method + " " + r.URL.Path, Hint: "/api/v1/openapi.json has all there is",
	}
}

func wrong(what string) error { return &admin.Fault{Status: http.StatusBadRequest, Message: what} }

// missing is about something that is not there.
func missing(what string) error { return &admin.Fault{Status: http.StatusNotFound, Message: what} }

// fault tells what went wrong: what whoever asked can mend, in words; what is ours, in the log.
func (a *API) fault(w http.ResponseWriter, r *http.Request, err error) {
	var f *admin.Fault
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
	case errors.As(err, &large):
		f = &admin.Fault{Status: http.StatusRequestEntityTooLarge, Message: "the body is too large"}
	case errors.Is(err, inbox.ErrNotFound):
		f = &admin.Fault{Status: http.StatusNotFound, Message: err.Error()}
	case errors.Is(err, inbox.ErrClosed):
		f = &admin.Fault{Status: http.StatusServiceUnavailable, Message: err.Error()}
	case errors.Is(err, context.Canceled):
		f = &admin.Fault{Status: http.StatusServiceUnavailable, Message: "the house is closing"} // or nobody is there to be told
	default:
		a.o.Log.Error("the inbox cannot answer", "path", r.Pattern, "err", err)
		f = &admin.Fault{Status: http.StatusInternalServerError, Message: "the inbox cannot answer", Hint: "its log says why"}
	}
	w.Header().Del("Content-Disposition")
	w.Header().Del("Content-Security-Policy")
	reply(w, f.Status, refusal{f, f.Message})
}

// refusal is a fault, in the shape of Mailpit too.
type refusal struct {
	*admin.Fault
	Error string
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // "<a@b.example>" is for people too
	_ = e.Encode(v)        // else the client has gone
}

func ok(w http.ResponseWriter, v any) error {
	reply(w, http.StatusOK, v)
	return nil
}

// read reads a body of JSON, in which nothing is misspelt.
func read(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	d.DisallowUnknownFields()
	return unread(d.Decode(into))
}

// readSome reads a body of JSON of which not everything means something here: helpers for
// Mailpit say more than we know.
func readSome(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	return unread(json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(into))
}

// unread is why a body was not read, for whoever sent it.
func unread(err error) error {
	var large *http.MaxBytesError
	if err == nil || errors.As(err, &large) {
		return err
	}
	return wrong("the body is not the JSON that is wanted: " + strings.TrimPrefix(err.Error(), "json: "))
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
