package admin

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/spool"
)

// Spool is what is asked of a [spool.Engine].
type Spool interface {
	Open(ctx context.Context, id mail.ID) (mail.Content, error)
	List(ctx context.Context, query spool.Query) (spool.Page, error)
	Stats(ctx context.Context) (spool.Stats, error)
	Destinations(ctx context.Context, after string, limit int) ([]spool.Destination, error)
	Damaged(ctx context.Context, after mail.ID, limit int) ([]spool.Damage, error)
	Facts(ctx context.Context, query spool.FactQuery) (spool.FactPage, error)
}

// Checker is a [Spool] that can be read through while it works.
type Checker interface {
	// Check tells progress now and then how many messages it has read.
	Check(ctx context.Context, progress func(messages int64)) (spool.Checked, error)
}

// Dispatch is what is asked of a [dispatch.Desk].
type Dispatch interface {
	Order(ctx context.Context, query spool.Query, order spool.Order) (spool.Page, error)
	Load(ctx context.Context) (queue.Load, error)
	Known(ctx context.Context, destinations []string) ([]queue.Known, error)
	Explain(ctx context.Context, e *mail.Envelope, recipient int) (dispatch.Explained, error)
	Via(ctx context.Context, word string) (mail.Hop, error)
}

// Intake is what is asked of an [intake.Desk].
type Intake interface {
	Explain(ctx context.Context, q intake.Question) (intake.Explained, error)
}

// Options set up an [API].
type Options struct {
	Spool    Spool    // needed; one that is a [Checker] can be checked
	Dispatch Dispatch // needed
	Intake   Intake   // needed

	// Sessions are those who speak with the house; nil: nobody keeps them.
	Sessions Sessions

	// Meter counts what happens to mail; nil: nobody does.
	Meter Meter
	// Find finds messages in the journal; nil: it cannot be searched.
	Find Finder

	// Reload reads the configuration again and puts it in place, all or nothing.
	// An error that is a config.Problems is told line by line. nil: this house
	// cannot reload.
	Reload func(ctx context.Context) error
	// Relays are those where the house logs in with tokens; nil: there are none.
	Relays Relays
	// Holding says whether the configuration keeps all mail from being sent, and
	// where; nil: it does not.
	Holding func() (at mail.Origin, holding bool)
	// Node is this house among those that share its queue; "": nobody does.
	Node string
	// Draining reports whether the cluster has asked this house to take no more mail;
	// nil: it never does.
	Draining func() bool
	// Sizes are the longest messages that the listeners take; nil: not known.
	Sizes func() []Size
	// Certificates are those that clients may be shown; nil: not known.
	Certificates func() []Certificate

	// Beside are operations of handlers that are served beside this one: they stand in
	// its document, and are not answered here.
	Beside []Operation

	Hostname string
	Version  string // of the program, as it calls itself
	Started  time.Time

	// Identify says who is at the other end of a connection; nil asks the system,
	// which knows that of sockets of this host alone.
	Identify func(net.Conn) (Peer, error)
	Log      *slog.Logger // nil is silence
}

// Size is the longest message that a listener takes.
type Size struct {
	Listener string
	Local    bool // it is there for programs of this host, and nobody else comes by it
	Octets   int64
	Origin   mail.Origin
}

// API answers requests. Make one with [New]. It is a [http.Handler].
type API struct {
	opts     Options
	mux      *http.ServeMux
	checking chan struct{} // held by a check: it takes what the disk takes
	streams  chan struct{} // has one for each that is open
	closing  context.Context
	close    context.CancelFunc // ends the streams
}

// New makes an API.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Identify == nil {
		o.Identify = identify
	}
	a := &API{opts: o, mux: http.NewServeMux(), checking: make(chan struct{}, 1), streams: make(chan struct{}, maxStreams)}
	a.closing, a.close = context.WithCancel(context.Background())
	for _, r := range a.offers() {
		a.mux.Handle(r.Pattern, r.handler)
	}
	a.mux.Handle("/", a.json(nowhere))
	return a
}

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// That of the request before still stands. Not every server can.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience + pace))
	a.mux.ServeHTTP(w, r)
}
