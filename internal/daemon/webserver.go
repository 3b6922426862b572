package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"github.com/posthouse/posthouse/internal/acme"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// webServer answers strangers over HTTP, a question a connection. It has few connections
// at a time, none of them for long.
type webServer struct {
	http *http.Server
	most int // connections at a time
	open atomic.Int64
}

// Bounds of a web server.
const (
	webPatience = 10 * time.Second // for a question, and for its answer
	webHeader   = 8 << 10
)

// newWebServer makes one; with t it speaks TLS.
func newWebServer(h http.Handler, t *tls.Config, most int) *webServer {
	s := &webServer{most: most}
	s.http = &http.Server{
		Handler: h, TLSConfig: t, MaxHeaderBytes: webHeader,
		ReadTimeout: webPatience, WriteTimeout: webPatience, ErrorLog: silence(),
		ConnState: func(_ net.Conn, is http.ConnState) {
			switch is {
			case http.StateNew:
				s.open.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.open.Add(-1)
			}
		},
		// An authority that asks by TLS has its answer when the handshake is over. HTTP/2
		// is not spoken: one question needs none of it.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){
			acme.Protocol: func(_ *http.Server, c *tls.Conn, _ http.Handler) { _ = c.Close() },
		},
	}
	s.http.SetKeepAlivesEnabled(false)
	return s
}

// Serve implements answerer.
func (s *webServer) Serve(l net.Listener) error {
	l = netutil.LimitListener(l, s.most)
	serve := s.http.Serve
	if s.http.TLSConfig != nil {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	err := serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return smtpserver.ErrServerClosed
	}
	return err
}

// Shutdown implements answerer.
func (s *webServer) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Close implements answerer.
func (s *webServer) Close() error { return s.http.Close() }

// Connections implements answerer.
func (s *webServer) Connections() int { return int(s.open.Load()) }
