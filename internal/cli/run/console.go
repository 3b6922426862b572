package run

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/inboxapi"
	"github.com/posthouse/posthouse/internal/admin/web"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/event"
)

// consoles are the addresses at which a console answers.
type consoles struct {
	at     []string // as a browser is told them
	cancel context.CancelFunc
	inbox  *inboxapi.API // nil: there is none
	done   []chan error
}

// console answers browsers where the configuration says so, until it is ended.
func (h *house) console(ctx context.Context, d *daemon.House, api *admin.API) (*consoles, error) {
	c := d.Config()
	served := &consoles{at: []string{}}
	ctx, served.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if c.Console.Origin.File == "" {
		return served, nil
	}
	served.inbox = h.inboxAPI(d)
	o := web.Options{
		API: api, Rights: func() web.Rights { return rightsOf(&d.Config().Console) },
		Door: d.Door, Hosts: func() []string { return d.Config().Console.Hosts.Value },
		Beside:   besides(api, served.inbox),
		Hostname: c.Hostname.Value, Version: h.version, Log: h.log.Logger,
	}
	if store := d.Inboxes(); store != nil {
		o.Inboxes, o.Receives = store, receives(d)
	}
	page := web.New(o)
	h.pages.Store(page)
	var t *tls.Config
	if c.Console.TLS.Value == "implicit" {
		t = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: d.Certificate}
	}
	for _, at := range c.Console.Address.Value {
		l, err := h.listenConsole(ctx, at)
		if err != nil {
			_ = served.end()
			return nil, cli.Fail(cli.OSErr, "console: %w", err)
		}
		done := make(chan error, 1)
		served.done = append(served.done, done)
		served.at = append(served.at, addressOf(l.Addr(), t != nil))
		go func() { done <- page.Serve(ctx, l, t) }()
	}
	return served, nil
}

// receives is the address at which mail for the test inbox comes in; "" if only routes lead
// there.
func receives(d *daemon.House) string {
	listeners := d.Config().Listen
	for _, l := range d.Listening() {
		for i := range listeners {
			if listeners[i].Kind == config.ListenInbox && listeners[i].Name.Value == l.Name {
				return l.Addr.String()
			}
		}
	}
	return ""
}

// besides are the other handlers that are served with the console. The document of the
// control API is of the inbox too, and stands beside both.
func besides(api *admin.API, box *inboxapi.API) map[string]http.Handler {
	all := map[string]http.Handler{}
	if box == nil {
		return all
	}
	for _, pattern := range box.Patterns() {
		all[pattern] = box
	}
	all["GET /api/v1/openapi.json"] = http.StripPrefix("/api", api)
	return all
}

// listenConsole listens where a console is to be. If nobody has said where and that place
// is taken, another will do.
func (h *house) listenConsole(ctx context.Context, at string) (net.Listener, error) {
	l, err := listenAt(ctx, at)
	if h.file == "" && !h.httpGiven && errors.Is(err, syscall.EADDRINUSE) {
		return listenAt(ctx, "127.0.0.1:0")
	}
	return l, err
}

func listenAt(ctx context.Context, at string) (net.Listener, error) {
	if file, unix := strings.CutPrefix(at, "unix:"); unix {
		return admin.Listen(file)
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", at)
}

// addressOf is what a browser is told to go to, or a proxy.
func addressOf(a net.Addr, secure bool) string {
	switch {
	case a.Network() == "unix":
		return "unix:" + a.String()
	case secure:
		return "https://" + a.String()
	}
	return "http://" + a.String()
}

// observe tells what has happened to mail: in the log, and to those who look at pages.
func (h *house) observe(e event.Entry) {
	h.log.observe(e)
	if p := h.pages.Load(); p != nil {
		p.Changed(web.TopicQueue)
		p.Changed(web.TopicOverview)
	}
}

// rightsOf are those that the configuration gives.
func rightsOf(c *config.Console) web.Rights {
	r := web.Rights{Viewers: c.Viewers.Value, Operators: c.Operators.Value}
	switch c.Guests.Value {
	case config.GuestsView:
		r.Guests = web.Viewer
	case config.GuestsOrder:
		r.Guests = web.Operator
	}
	return r
}

// end stops answering.
func (c *consoles) end() error {
	if c.inbox != nil {
		c.inbox.Close() // those who wait for mail
	}
	c.cancel()
	var err error
	for _, done := range c.done {
		err = errors.Join(err, <-done)
	}
	return err
}
