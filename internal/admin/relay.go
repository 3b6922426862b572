package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/bearer"
	"github.com/posthouse/posthouse/internal/spool"
)

// Relays is what is asked of a house about the relays where it logs in with tokens.
type Relays interface {
	Relays() []*bearer.Source
	Relay(route string) *bearer.Source // nil: there is none
}

// States of a relay.
const (
	RelayReady   = "ready"   // there is a token that is good now
	RelayIdle    = "idle"    // none was needed so far, or the last one is over; nothing is wrong
	RelayTrouble = "trouble" // the provider could not be asked; it is asked again
	RelayRefused = "refused" // a person has to act; the mail waits
)

// RelayList is all relays where the house logs in with tokens.
type RelayList struct {
	Relays []Relay `json:"relays"`
}

// Relay is how it is with the token of one. The token itself is nowhere.
type Relay struct {
	Route   string       `json:"route"`
	Flow    string       `json:"flow"`
	State   string       `json:"state"`
	Got     *time.Time   `json:"got,omitempty"`     // when the last token came, since the start
	Expires *time.Time   `json:"expires,omitempty"` // that token
	Error   string       `json:"error,omitempty"`   // of the last try
	Failed  *time.Time   `json:"failed,omitempty"`  // when that was
	Login   *RelayPrompt `json:"login,omitempty"`   // one that is under way
}

// RelayPrompt is what a person is asked to do.
type RelayPrompt struct {
	URL     string    `json:"url"`            // to be opened in a browser
	Code    string    `json:"code,omitempty"` // to be typed in there
	Browser bool      `json:"browser"`        // the address where the browser ends is to be brought back
	Expires time.Time `json:"expires"`
}

// RelayLogin is what came of a login.
type RelayLogin struct {
	Pending bool `json:"pending"` // nobody has logged in so far; ask again
	Retried int  `json:"retried"` // recipients who had waited for it, and are tried now
}

// RelayWait is the request to wait for a login.
type RelayWait struct {
	Came string `json:"came,omitempty"` // the address where the browser has ended
}

// RelayToken is the request to take over a refresh token that was got elsewhere.
type RelayToken struct {
	Token string `json:"token"`
}

func (a *API) relays(*http.Request) (any, error) {
	list := RelayList{Relays: []Relay{}}
	if a.opts.Relays == nil {
		return list, nil
	}
	var all []bearer.Status
	for _, s := range a.opts.Relays.Relays() {
		all = append(all, s.Status())
	}
	for _, s := range bearer.Sorted(all) {
		list.Relays = append(list.Relays, relayOf(s))
	}
	return list, nil
}

func relayOf(s bearer.Status) Relay {
	r := Relay{Route: s.Relay, Flow: string(s.Flow), State: RelayIdle, Got: instant(s.Got), Expires: instant(s.Expires)}
	switch {
	case s.Fault != nil && s.Fault.Refused:
		r.State = RelayRefused
	case s.Fault != nil && !s.Ready:
		r.State = RelayTrouble
	case s.Ready:
		r.State = RelayReady
	}
	if s.Fault != nil {
		r.Error, r.Failed = s.Fault.Text, instant(s.FaultAt)
	}
	if s.Prompt != nil {
		r.Login = promptOf(s.Prompt, s.Flow)
	}
	return r
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func promptOf(p *bearer.Prompt, flow bearer.Flow) *RelayPrompt {
	return &RelayPrompt{URL: p.URL, Code: p.Code, Browser: flow == bearer.Browser, Expires: p.Expires}
}

// relay finds the one that a request names.
func (a *API) relay(r *http.Request) (*bearer.Source, error) {
	name := r.PathValue("route")
	if a.opts.Relays != nil {
		if s := a.opts.Relays.Relay(name); s != nil {
			return s, nil
		}
	}
	f := missing("no route %q logs in with tokens", name)
	f.Hint = "posthouse relay status names those that do; oauth { ... } in a route makes it one"
	return nil, f
}

func (a *API) beginLogin(r *http.Request) (any, error) {
	s, err := a.relay(r)
	if err != nil {
		return nil, err
	}
	p, err := s.Begin(r.Context())
	if err != nil {
		return nil, relayFault(err)
	}
	a.opts.Log.Info("an operator begins a login at a relay", "relay", s.Options().Relay, "by", operator(r.Context()))
	return promptOf(&p, s.Options().Provider.Flow), nil
}

// relayPatience is how long an answer waits for a person: less than an answer may take.
const relayPatience = patience / 2

func (a *API) awaitLogin(r *http.Request) (any, error) {
	var req RelayWait
	s, err := a.relay(r)
	if err == nil {
		err = read(r, &req)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), relayPatience)
	defer cancel()
	err = s.Wait(ctx, req.Came)
	if errors.Is(err, bearer.ErrPending) {
		return RelayLogin{Pending: true}, nil
	}
	return a.loggedIn(r, s, err)
}

func (a *API) takeToken(r *http.Request) (any, error) {
	var req RelayToken
	s, err := a.relay(r)
	if err == nil {
		err = read(r, &req)
	}
	if err != nil {
		return nil, err
	}
	if req.Token == "" {
		return nil, wrong("there is no token")
	}
	return a.loggedIn(r, s, s.Take(r.Context(), req.Token))
}

// loggedIn has mail tried at once that waited for a login.
func (a *API) loggedIn(r *http.Request, s *bearer.Source, err error) (any, error) {
	name, who := s.Options().Relay, operator(r.Context())
	if err != nil {
		a.opts.Log.Warn("a login at a relay came to nothing", "relay", name, "by", who, "why", err)
		return nil, relayFault(err)
	}
	a.opts.Log.Info("an operator has logged in at a relay", "relay", name, "by", who)
	done := RelayLogin{}
	query := spool.Query{Filter: spool.Filter{Reply: fmt.Sprintf("no login at the relay %q", name)}}
	for {
		page, err := a.opts.Dispatch.Order(r.Context(), query, spool.Order{Verb: spool.Retry, At: time.Now(), By: who, Reason: "logged in at the relay " + name})
		if err != nil {
			return nil, err
		}
		done.Retried += len(page.Items)
		if query.After = page.Next; !page.More {
			return done, nil
		}
	}
}

// relayFault is the answer about a provider that gives no token.
func relayFault(err error) error {
	var f *bearer.Fault
	switch {
	case !errors.As(err, &f):
		return err
	case f.Refused:
		return &Fault{Status: http.StatusForbidden, Message: f.Text}
	}
	return &Fault{Status: http.StatusServiceUnavailable, Message: f.Text, Hint: "try it again later"}
}
