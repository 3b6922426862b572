package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of a connection.
const (
	headTime  = 10 * time.Second // to send the head of a request
	idleTime  = 2 * time.Minute
	maxHeader = 16 << 10 // octets
	lastWords = 2 * time.Second
	maxConns  = 2000 // at a time; others wait
)

// Serve answers the connections of l, with TLS if t is not nil, until ctx ends, and
// closes it. Requests that are under way then have two seconds to come to their end;
// streams are cut.
func (c *Console) Serve(ctx context.Context, l net.Listener, t *tls.Config) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler:           timed(c),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(c.opts.Log.Handler(), slog.LevelDebug), TLSConfig: t,
	}
	watch := c.live.open()
	defer watch()
	served := make(chan error, 1)
	go func() { served <- serve(server, netutil.LimitListener(l, maxConns)) }()
	select {
	case err := <-served:
		return fmt.Errorf("console: %w", err)
	case <-ctx.Done():
	}
	watch()
	patience, cancel := context.WithTimeout(requests, lastWords)
	defer cancel()
	if server.Shutdown(patience) != nil {
		cut()
		_ = server.Close()
	}
	<-served
	return nil
}

func serve(server *http.Server, l net.Listener) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(l, "", "")
	}
	return server.Serve(l)
}

// timed bounds the time of every request and answer. One that is a stream sets its own
// bounds as it goes.
func timed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(pace))
		_ = control.SetWriteDeadline(time.Now().Add(patience + pace))
		h.ServeHTTP(w, r)
	})
}
