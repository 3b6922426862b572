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
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// challengeServer answers an authority that asks whether a name is ours, and nobody
// else. It has few connections at a time, none of them for long.
type challengeServer struct {
	http *http.Server
	open atomic.Int64
}

// Bounds of a challenge server.
const (
	challengeConnections = 64
	challengePatience    = 10 * time.Second
	challengeHeader      = 8 << 10
)

func newChallengeServer(k *acme.Keeper, t *tls.Config) *challengeServer {
	s := &challengeServer{}
	s.http = &http.Server{
		Handler: k, TLSConfig: t, MaxHeaderBytes: challengeHeader,
		ReadTimeout: challengePatience, WriteTimeout: challengePatience, ErrorLog: silence(),
		ConnState: func(_ net.Conn, is http.ConnState) {
			switch is {
			case http.StateNew:
				s.open.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.open.Add(-1)
			}
		},
		// An authority that asks by TLS has its answer when the handshake is over.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){
			acme.Protocol: func(_ *http.Server, c *tls.Conn, _ http.Handler) { _ = c.Close() },
		},
	}
	s.http.SetKeepAlivesEnabled(false)
	return s
}

// Serve implements answerer.
func (s *challengeServer) Serve(l net.Listener) error {
	l = netutil.LimitListener(l, challengeConnections)
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
func (s *challengeServer) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Close implements answerer.
func (s *challengeServer) Close() error { return s.http.Close() }

// Connections implements answerer.
func (s *challengeServer) Connections() int { return int(s.open.Load()) }

// challengeServers are those at which an authority may ask.
func (b *builder) challengeServers(keys *certificates) (all []*server) {
	k := keys.acme.keeper
	if k == nil {
		return nil
	}
	a := &b.cfg.ACME
	add := func(name string, address config.Setting[string], t *tls.Config) {
		if address.Value == "" {
			return
		}
		origin := address.Origin
		if origin == (mail.Origin{}) {
			origin = a.Origin
		}
		all = append(all, &server{name: name, at: []endpoint{endpointOf(address.Value)}, origin: origin, answerer: newChallengeServer(k, t)})
	}
	add("acme http-01", a.HTTP, nil)
	add("acme tls-alpn-01", a.TLSALPN, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{acme.Protocol},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if acme.Asks(hello) {
				return k.Challenge(hello)
			}
			return keys.choose(hello)
		},
	})
	return all
}
