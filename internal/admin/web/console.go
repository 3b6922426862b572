package web

import (
	"log/slog"
	"net/http"

	"github.com/posthouse/posthouse/internal/login"
)

// Options set up a [Console].
type Options struct {
	// API answers under /v1, as admin.API does: the pages ask it, and programs may. Needed.
	API http.Handler

	// Inboxes is where test mail is; nil: there are no pages for it.
	Inboxes Inboxes
	// Receives is the address at which mail for the inboxes comes in, for people; "": it
	// is not told.
	Receives string

	// Rights are asked for with each request; nil: nobody may do anything.
	Rights func() Rights
	// Door lets people in by name and password. nil, or what returns nil: nobody
	// can log in.
	Door func() *login.Door
	// Hosts are names by which browsers may call the console, beside those of this
	// machine itself and the address that it listens on. nil: there are none.
	Hosts func() []string

	// Beside are handlers that are served behind the same guards, by pattern as of
	// [http.ServeMux]. GET and HEAD want a [Viewer] there, all else an [Operator].
	Beside map[string]http.Handler

	Hostname string
	Version  string       // of the program, as it calls itself
	Log      *slog.Logger // nil is silence
}

// Console answers browsers. Make one with [New]. It is a [http.Handler]; bounds of time
// are set by [Console.Serve].
type Console struct {
	opts     Options
	api      house
	pages    *pages
	mux      *http.ServeMux
	cross    *http.CrossOriginProtection
	sessions sessions
	live     *live
	offers   offers
	pictures chan struct{} // has one for each that is made small now: they take memory
}

// offers are pages that depend on what the control API has.
type offers struct{ sessions, find, overview bool }

// New makes a console.
func New(o Options) *Console {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rights == nil {
		o.Rights = func() Rights { return Rights{} }
	}
	c := &Console{
		opts: o, api: house{o.API}, pages: parsePages(), mux: http.NewServeMux(),
		cross: http.NewCrossOriginProtection(), pictures: make(chan struct{}, maxPictures),
	}
	c.offers = offers{sessions: c.has("/v1/sessions"), find: c.has("/v1/find"), overview: c.has("/v1/overview")}
	c.live = newLive(c)
	c.cross.SetDenyHandler(http.HandlerFunc(c.crossed))
	c.routes()
	return c
}

// routes says what answers where. Whoever changes something is asked for by POST, and
// answered with the page to look at.
func (c *Console) routes() {
	c.mux.Handle("GET /static/{version}/{file}", http.HandlerFunc(c.static))
	c.mux.Handle("GET /live", c.stream(c.serveLive))
	c.mux.Handle("POST /settings", c.open(c.saveSettings))
	c.mux.Handle("GET /login", c.open(c.showLogin))
	c.mux.Handle("POST /login", c.open(c.login))
	c.mux.Handle("POST /logout", c.open(c.logout))

	if c.opts.Inboxes != nil {
		c.mux.Handle("POST /inbox/delete", c.may(Operator, c.delete))
		c.mux.Handle("POST /inbox/mark", c.may(Operator, c.mark))
		c.mux.Handle("POST /inbox/{id}/tags", c.may(Operator, c.tag))
		c.mux.Handle("POST /inbox/{id}/release", c.may(Operator, c.release))
		c.mux.Handle("GET /inbox/{id}/html", c.may(Viewer, c.showHTML))
		c.mux.Handle("GET /inbox/{id}/source", c.may(Viewer, c.source))
		c.mux.Handle("GET /inbox/{id}/part/{part}", c.may(Viewer, c.part))
	}
	for path, p := range c.views() {
		c.mux.Handle("GET "+path, c.page(p))
	}
	c.mux.Handle("POST /queue/orders", c.may(Operator, c.order))
	if c.offers.sessions {
		c.mux.Handle("POST /sessions/{id}/cut", c.may(Operator, c.cut))
	}
	c.mux.Handle("GET /messages/{id}/text", c.may(Operator, c.text))
	c.mux.Handle("GET /{$}", c.may(Viewer, c.home))
	c.mux.Handle("/", c.open(c.nowhere))
	c.programs()

	for pattern, h := range c.opts.Beside {
		c.mux.Handle(pattern, c.beside(h))
	}
}

// views are the pages that can be drawn anew while somebody looks at them.
func (c *Console) views() map[string]view {
	views := map[string]view{
		"/queue":          {"queue", "queue", TopicQueue, c.queuePage, c.queueTable},
		"/queue/messages": {"list", "queue", TopicQueue, c.listPage, c.listTable},
		"/messages/{id}":  {"message", "queue", TopicQueue, c.messagePage, nil},
		"/explain":        {"explain", "explain", TopicNone, c.explainPage, nil},
	}
	if c.opts.Inboxes != nil {
		views["/inbox"] = view{"inbox", "inbox", TopicInbox, c.inboxPage, nil}
		views["/inbox/{id}"] = view{"letter", "inbox", TopicNone, c.letterPage, nil}
	}
	if c.offers.sessions {
		views["/sessions"] = view{"sessions", "sessions", TopicSessions, c.sessionsPage, nil}
		views["/sessions/{id}"] = view{"session", "sessions", TopicSessions, c.sessionPage, nil}
	}
	if c.offers.overview {
		views["/overview"] = view{"overview", "overview", TopicOverview, c.overviewPage, nil}
	}
	if c.offers.find {
		views["/find"] = view{"find", "find", TopicNone, c.findPage, c.findTable}
	}
	return views
}

// home leads to the page that is looked at most.
func (c *Console) home(_ *visit) (answer, error) { return redirect(c.sections()[0].Path), nil }

func (c *Console) nowhere(v *visit) (answer, error) {
	return nil, &fault{status: http.StatusNotFound, key: "error.nowhere", args: []any{v.URL.Path}}
}

// ServeHTTP implements [http.Handler].
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	if !c.isOurs(r) {
		c.strange(w, r)
		return
	}
	c.cross.Handler(c.mux).ServeHTTP(w, r)
}
