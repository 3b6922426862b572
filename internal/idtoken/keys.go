package idtoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ParseKeys reads a set of keys (RFC 7517, 5), of at most 1000. One that holds a secret is
// refused: it is not what an issuer shows.
func ParseKeys(text []byte) (*jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("it is no set of keys (RFC 7517, 5)")
	}
	const most = 1000
	usables := 0
	for i := range set.Keys {
		if !set.Keys[i].IsPublic() {
			return nil, errors.New("a key in it is secret: it must hold public keys only")
		}
		if usable(&set.Keys[i]) {
			usables++
		}
	}
	if usables == 0 || len(set.Keys) > most {
		return nil, fmt.Errorf("there is no key in it that may sign, or there are more than %d", most)
	}
	return &set, nil
}

// Fixed are keys that do not change.
type Fixed struct{ Set *jose.JSONWebKeySet }

// Keys implements [Keys].
func (f Fixed) Keys(context.Context, bool) (*jose.JSONWebKeySet, error) { return f.Set, nil }

// Fetched are keys of a server. They may be used by many goroutines.
type Fetched struct {
	URL string
	Web *http.Client // needed; it should follow no redirection

	mu    sync.Mutex
	set   *jose.JSONWebKeySet
	err   error     // of the last try
	tried time.Time // the last time
	good  time.Time // when the set was fetched
	busy  chan struct{}
}

// How often keys are fetched.
const (
	fresh   = time.Hour   // after which they are fetched again
	pause   = time.Minute // between two tries
	maxKeys = 1 << 20     // octets
)

// Keys implements [Keys]. Those that are known serve on while others cannot be fetched.
func (f *Fetched) Keys(ctx context.Context, again bool) (*jose.JSONWebKeySet, error) {
	for {
		f.mu.Lock()
		now := time.Now()
		due := f.set == nil || again || now.Sub(f.good) > fresh
		if !due || !f.tried.IsZero() && now.Sub(f.tried) < pause {
			set, err := f.set, f.err
			wait := f.busy
			f.mu.Unlock()
			if set == nil && wait != nil { // the first of all
				select {
				case <-wait:
					continue
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			if set == nil {
				return nil, err
			}
			return set, nil
		}
		f.tried, f.busy = now, make(chan struct{})
		f.mu.Unlock()
		f.fetch(ctx)
		again = false
	}
}

// fetch fetches the keys, and lets those go on who wait for it.
func (f *Fetched) fetch(ctx context.Context) {
	set, err := f.get(context.WithoutCancel(ctx))
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.busy)
	f.busy, f.err = nil, err
	if err == nil {
		f.set, f.good = set, time.Now()
	}
}

func (f *Fetched) get(ctx context.Context) (*jose.JSONWebKeySet, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, nil)
	if err != nil {
		return nil, err
	}
	answer, err := f.Web.Do(r)
	if err != nil {
		return nil, fmt.Errorf("keys of the issuer: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxKeys+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("keys of the issuer: %w", err)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("keys of the issuer: %s says %s", f.URL, answer.Status)
	case len(text) > maxKeys:
		return nil, fmt.Errorf("keys of the issuer: %s says more than %d octets", f.URL, maxKeys)
	}
	set, err := ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("keys of the issuer at %s: %w", f.URL, err)
	}
	return set, nil
}
