package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/bearer"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// relays are the sources of tokens for the relays of a configuration, by the names of
// their routes.
type relays map[string]*bearer.Source

// keptRelays are those that are in force: a reload that leaves a relay as it is leaves its
// token too.
type keptRelays struct{ now atomic.Pointer[relays] }

func (k *keptRelays) source(o bearer.Options) *bearer.Source {
	if all := k.now.Load(); all != nil {
		if s := (*all)[o.Relay]; s != nil && s.Options().Provider == o.Provider {
			return s
		}
	}
	return bearer.New(o)
}

// byToken has a transport log in with tokens.
func (b *builder) byToken(r *rooms, c *config.Route) (login func(context.Context) (*smtpclient.Auth, error), refused func(*smtpclient.Auth, *smtpclient.AuthError) error) {
	o := &c.OAuth
	provider := bearer.Provider{
		Flow: bearer.Flow(o.Flow.Value), ClientID: o.ClientID.Value, Basic: o.ClientAuth.Value == "header",
		TokenURL: o.TokenURL.Value, DeviceURL: o.DeviceURL.Value, AuthURL: o.AuthURL.Value, RedirectURL: o.RedirectURL.Value,
		Scopes: strings.Join(o.Scopes.Value, " "),
	}
	if o.ClientSecret.Given() {
		provider.ClientSecret = b.password(&o.ClientSecret)
	}
	s := b.states.relays.source(bearer.Options{
		Relay: c.Name, Provider: provider, Keep: &safe{b.states, b.sealKey()}, Web: b.world.providers(), Log: b.world.Log,
	})
	r.relays[c.Name] = s
	user, clear := c.User.Value, c.TLS.Value == "never" || c.TLS.Value == "opportunistic"
	login = func(ctx context.Context) (*smtpclient.Auth, error) {
		token, err := s.Token(ctx)
		if err != nil {
			return nil, noToken(c, err)
		}
		return &smtpclient.Auth{Username: user, Token: token, AllowPlaintext: clear}, nil
	}
	refused = func(a *smtpclient.Auth, refusal *smtpclient.AuthError) error {
		if f := s.Rejected(a.Token, refusal.Reply.Error()); f != nil {
			return noToken(c, f)
		}
		return nil
	}
	return login, refused
}

// noToken tells why there is no token, and what is to be done.
func noToken(c *config.Route, err error) error {
	var f *bearer.Fault
	if !errors.As(err, &f) || !f.Refused {
		return err
	}
	what := "posthouse relay login " + c.Name
	if c.OAuth.Flow.Value == config.FlowClient {
		what = "see to the client at the provider, and to " + c.OAuth.Origin.String()
	}
	return &transport.StuckError{Err: fmt.Errorf("no login at the relay %q: %w; the mail is kept until somebody acts: %s", c.Name, err, what)}
}

// providers is the way to those who give tokens.
func (w *World) providers() http.RoundTripper {
	return &http.Transport{
		DialContext:       w.anywhere,
		TLSClientConfig:   &tls.Config{RootCAs: w.Roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// safe keeps refresh tokens in the spool, sealed.
type safe struct {
	states *states
	key    func() ([]byte, error)
}

// tokenRoom is where they are.
const tokenRoom = "relay-token"

// Load implements [bearer.Keeper].
func (s *safe) Load(ctx context.Context, relay string) (string, error) {
	kept, err := s.states.State(ctx, tokenRoom, relay)
	if errors.Is(err, spool.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	key, err := s.key()
	if err != nil {
		return "", err
	}
	return bearer.Unseal(key, relay, kept.Value)
}

// Save implements [bearer.Keeper].
func (s *safe) Save(ctx context.Context, relay, token string) error {
	key, err := s.key()
	if err != nil {
		return err
	}
	sealed, err := bearer.Seal(key, relay, token)
	if err != nil {
		return err
	}
	kept, err := s.states.State(ctx, tokenRoom, relay)
	if err != nil && !errors.Is(err, spool.ErrNotFound) {
		return err
	}
	_, err = s.states.PutState(ctx, spool.State{Room: tokenRoom, Key: relay, Value: sealed}, kept.Version)
	return err
}

// Relays are the sources of tokens of the configuration that holds.
func (h *House) Relays() []*bearer.Source {
	all := h.states.relays.now.Load()
	if all == nil {
		return nil
	}
	return slices.Collect(maps.Values(*all))
}

// Relay is the one of a route; nil if it has none.
func (h *House) Relay(name string) *bearer.Source {
	if all := h.states.relays.now.Load(); all != nil {
		return (*all)[name]
	}
	return nil
}
