package bearer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Flow is how we come to tokens.
type Flow string

// The flows.
const (
	Device  Flow = "device"  // a person types a code into a web page (RFC 8628)
	Browser Flow = "browser" // a person logs in with a browser, and brings the address where it ended (RFC 8252)
	Client  Flow = "client"  // the program logs in by itself (RFC 6749, 4.4)
)

// Provider is where tokens come from, and who we are there.
type Provider struct {
	Flow         Flow
	ClientID     string
	ClientSecret string // "": a public client
	Basic        bool   // who we are goes into a header, and not into the form (RFC 6749, 2.3.1)
	TokenURL     string
	DeviceURL    string // of Device
	AuthURL      string // of Browser
	RedirectURL  string // of Browser
	Scopes       string // with spaces between
}

// Keeper keeps refresh tokens.
type Keeper interface {
	// Load returns what was kept for a relay last; "" if there is nothing.
	Load(ctx context.Context, relay string) (string, error)
	// Save keeps a token in place of the one before.
	Save(ctx context.Context, relay, token string) error
}

// Options are of a [Source].
type Options struct {
	Relay    string // its name
	Provider Provider
	Keep     Keeper            // not needed by Client
	Web      http.RoundTripper // needed
	Log      *slog.Logger      // needed
}

// Bounds of asking the provider.
const (
	askTime    = 30 * time.Second // one request
	usualLife  = time.Hour        // of a token that does not say it
	leastPause = 10 * time.Second // after a failure, doubled with each ...
	mostPause  = 5 * time.Minute  // ... up to this
	refusal    = 15 * time.Minute // after the provider has said no: it may have changed its mind
)

// Source has the tokens for one relay. Make one with [New]; it may be used by many
// goroutines.
type Source struct {
	opts Options
	turn chan struct{} // held by who speaks with the provider

	mu    sync.Mutex
	state state
	login *login // under way; nil: none
}

// state is what a Source remembers.
type state struct {
	access   string
	got      time.Time
	expires  time.Time
	refresh  string // newer than what is kept, if that could not be saved
	fault    *Fault // of the last try; nil: it was good
	faultAt  time.Time
	again    time.Time // not asked before
	failures int
}

// New makes a source.
func New(o Options) *Source { return &Source{opts: o, turn: make(chan struct{}, 1)} }

// Options returns what it was made of.
func (s *Source) Options() Options { return s.opts }

// Token returns a token that is good for a while. The error is a [*Fault].
func (s *Source) Token(ctx context.Context) (string, error) {
	if token, fault, ok := s.known(); ok {
		return token, fault.err()
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return "", passing("the provider does not answer in time")
	}
	if token, fault, ok := s.known(); ok { // somebody else has asked meanwhile
		return token, fault.err()
	}
	t, err := s.fetch(ctx)
	if ctx.Err() != nil && err != nil {
		return "", faultOf(err) // which says nothing about the provider
	}
	if err := s.learn(t, err); err != nil {
		return "", err
	}
	return t.AccessToken, nil
}

// known returns what needs not be asked.
func (s *Source) known() (token string, fault *Fault, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch n := &s.state; {
	case n.access != "" && now.Before(n.expires.Add(-margin(n.expires.Sub(n.got)))):
		return n.access, nil, true
	case n.fault != nil && now.Before(n.again):
		return "", n.fault, true
	}
	return "", nil, false
}

// margin is how long before its end a token is not used any more: a message takes its
// time.
func margin(life time.Duration) time.Duration { return min(5*time.Minute, life/4) }

// youth is how long a token counts as one that came just now.
const youth = time.Minute

// Rejected notes that the relay does not take a token, as it says. It returns nil if
// another one may do better: the next that Token returns. Otherwise a person has to
// act, for the token came from the provider just now.
func (s *Source) Rejected(token, says string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.access != token {
		return nil // somebody else was told so before
	}
	s.state.access = ""
	if time.Since(s.state.got) >= youth {
		return nil
	}
	f := refused("the relay refuses the token: %s", says)
	s.fail(f)
	return f
}

// learn takes note of what came of a request. The turn is held.
func (s *Source) learn(t *oauth2.Token, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		f := faultOf(err)
		s.fail(f)
		return f
	}
	s.take(t)
	return nil
}

// fail notes a fault. The lock is held.
func (s *Source) fail(f *Fault) {
	n := &s.state
	pause := refusal
	if !f.Refused {
		pause = min(leastPause<<min(n.failures, 10), mostPause)
		n.failures++
	}
	n.fault, n.faultAt, n.again = f, time.Now(), time.Now().Add(pause)
	s.opts.Log.Warn("there is no token for a relay", "relay", s.opts.Relay, "why", f.Text)
}

// take notes a token. The lock is held.
func (s *Source) take(t *oauth2.Token) {
	now := time.Now()
	if t.Expiry.IsZero() || t.Expiry.After(now.Add(366*24*time.Hour)) {
		t.Expiry = now.Add(usualLife)
	}
	n := &s.state
	n.access, n.got, n.expires = t.AccessToken, now, t.Expiry
	n.fault, n.failures, n.again = nil, 0, time.Time{}
}

// fetch asks the provider for a token. The turn is held.
func (s *Source) fetch(ctx context.Context) (*oauth2.Token, error) {
	if s.opts.Provider.Flow == Client {
		p := &s.opts.Provider
		c := clientcredentials.Config{
			ClientID: p.ClientID, ClientSecret: p.ClientSecret, TokenURL: p.TokenURL,
			Scopes: strings.Fields(p.Scopes), AuthStyle: p.style(),
		}
		return c.Token(s.web(ctx))
	}
	old, err := s.refreshToken(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.config().TokenSource(s.web(ctx), &oauth2.Token{RefreshToken: old}).Token()
	if err == nil && t.RefreshToken != old {
		s.keep(ctx, t.RefreshToken) // it was changed for another (RFC 6749, 6)
	}
	return t, err
}

// refreshToken is the one that was kept.
func (s *Source) refreshToken(ctx context.Context) (string, error) {
	s.mu.Lock()
	newer := s.state.refresh
	s.mu.Unlock()
	if newer != "" {
		return newer, nil
	}
	kept, err := s.opts.Keep.Load(ctx, s.opts.Relay)
	switch {
	case errors.Is(err, ErrSeal):
		return "", refused("the token that was kept cannot be opened: %v", err)
	case err != nil:
		return "", passing("the token that was kept cannot be read: %v", err)
	case kept == "":
		return "", refused("nobody has logged in yet")
	}
	return kept, nil
}

// keep has a refresh token kept. If that fails, it is remembered, as long as we run.
func (s *Source) keep(ctx context.Context, token string) {
	err := s.opts.Keep.Save(context.WithoutCancel(ctx), s.opts.Relay, token)
	if err != nil {
		s.opts.Log.Error("a token for a relay could not be kept; it is lost with the next stop", "relay", s.opts.Relay, "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.refresh = ""
	if err != nil {
		s.state.refresh = token
	}
}

// config is the provider in the form of the library.
func (s *Source) config() *oauth2.Config {
	p := &s.opts.Provider
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Scopes: strings.Fields(p.Scopes), RedirectURL: p.RedirectURL,
		Endpoint: oauth2.Endpoint{TokenURL: p.TokenURL, DeviceAuthURL: p.DeviceURL, AuthURL: p.AuthURL, AuthStyle: p.style()},
	}
}

func (p *Provider) style() oauth2.AuthStyle {
	if p.Basic {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

// web is a context whose requests go by our way, are bounded, and follow nobody.
func (s *Source) web(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Transport: visit{ctx, s.opts.Web},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("it sends us elsewhere, and secrets do not follow")
		},
	})
}

// maxAnswer is how much of a provider's answer is read, in octets.
const maxAnswer = 256 << 10

// visit is one request at a time, from its beginning to the last octet of its answer. (Not
// every request of the library has the context of its caller, nor closes what it reads.)
type visit struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (v visit) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(v.ctx, askTime)
	defer cancel()
	resp, err := v.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp, nil
}

// Status is how a source is, for people. No token is in it.
type Status struct {
	Relay   string
	Flow    Flow
	Ready   bool      // there is a token that is good now
	Got     time.Time // when the last token came; zero: never since the start
	Expires time.Time // of that token
	Fault   *Fault    // of the last try; nil: it was good, or there was none
	FaultAt time.Time
	Prompt  *Prompt // of a login that is under way; nil: none is
}

// Status returns how the source is, without asking anybody.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.state
	st := Status{
		Relay: s.opts.Relay, Flow: s.opts.Provider.Flow, Ready: n.access != "" && time.Now().Before(n.expires),
		Got: n.got, Expires: n.expires, Fault: n.fault, FaultAt: n.faultAt,
	}
	if s.login != nil {
		p := s.login.prompt
		st.Prompt = &p
	}
	return st
}

// Sorted puts statuses in the order of their names.
func Sorted(all []Status) []Status {
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Relay, b.Relay) })
	return all
}
