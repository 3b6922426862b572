package mtasts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
)

// Source is a [tlspolicy.Source]. Its fields must not be changed after the first question.
type Source struct {
	Web *publicweb.Client // its Resolver is asked for ids, too
	// States keep policies, in the room [Room].
	States States

	mu       sync.Mutex
	fetching map[dns.Name]chan struct{} // closed when it is over
	failed   map[dns.Name]failure
}

// States is the part of a [spool.Engine] that keeps policies.
type States interface {
	State(ctx context.Context, room, key string) (spool.State, error)
	PutState(ctx context.Context, state spool.State, was uint64) (version uint64, err error)
}

// Room is where policies are kept, by domain.
const Room = "mta-sts"

var _ tlspolicy.Source = (*Source)(nil)

// How long what was found out is good for.
const (
	refreshAfter = 24 * time.Hour // RFC 8461, 3.3
	retryAfter   = 5 * time.Minute
	holds        = time.Hour // a demand, before it is asked again
	maxFailures  = 10_000    // that are remembered; beyond, all are forgotten
)

type failure struct {
	until time.Time
	err   error
}

// kept is a policy as it is kept.
type kept struct {
	ID      string    `json:"id"`
	Fetched time.Time `json:"fetched"`
	Text    string    `json:"policy"`

	policy  Policy
	version uint64
}

func (k *kept) over() time.Time { return k.Fetched.Add(k.policy.MaxAge) }

// Demand implements [tlspolicy.Source].
func (s *Source) Demand(ctx context.Context, q tlspolicy.Query) (tlspolicy.Demand, error) {
	if q.Domain.IsRoot() || q.Host.IsRoot() {
		return tlspolicy.Demand{}, nil
	}
	k, fault, err := s.policy(ctx, q.Domain)
	switch {
	case err != nil:
		return tlspolicy.Demand{}, err
	case k == nil:
		return tlspolicy.Demand{Fault: fault}, nil
	case k.policy.Mode == None:
		return tlspolicy.Demand{}, nil
	}
	return k.demand(q, time.Now()), nil
}

// Policy returns the policy of a domain that holds, and its id; "" if there is none. fault
// is why one that is announced could not be had.
func (s *Source) Policy(ctx context.Context, domain dns.Name) (id string, p Policy, fault, err error) {
	k, fault, err := s.policy(ctx, domain)
	if k == nil {
		return "", Policy{}, fault, err
	}
	return k.ID, k.policy, fault, err
}

// demand applies a policy to a host (RFC 8461, 4 and 5).
func (k *kept) demand(q tlspolicy.Query, now time.Time) tlspolicy.Demand {
	p := &k.policy
	d := tlspolicy.Demand{
		By: tlspolicy.ByMTASTS, Level: tlspolicy.Verified, Policy: p.Lines(),
		Why: fmt.Sprintf("MTA-STS policy of %s, id %s", q.Domain, k.ID),
		Key: "mta-sts", // any connection with a good certificate will do
	}
	d.Until = now.Add(holds)
	if over := k.over(); over.Before(d.Until) {
		d.Until = over
	}
	if p.Names(q.Host) {
		d.NamesHost = p.Mode == Enforce
	} else {
		d.Refused = fmt.Sprintf("the MTA-STS policy of %s, id %s, does not name %s", q.Domain, k.ID, q.Host)
	}
	if p.Mode == Testing {
		d.Level, d.Testing = tlspolicy.Opportunistic, true
		d.Why += " (testing)"
	}
	return d
}

// policy returns the policy of a domain that holds; nil if there is none, and then fault
// is why one that is announced could not be had.
func (s *Source) policy(ctx context.Context, domain dns.Name) (k *kept, fault, err error) {
	id := s.announced(ctx, domain)
	if id == "" && sabotage.Is("who hides a policy ends it") {
		return nil, nil, nil
	}
	for {
		if ctx.Err() != nil { // then there was no answer either
			return nil, nil, context.Cause(ctx)
		}
		if k, err = s.load(ctx, domain); err != nil {
			return nil, nil, err
		}
		if id == "" || k != nil && k.ID == id && time.Since(k.Fetched) < refreshAfter {
			return k, nil, nil
		}
		if fault = s.failure(domain); fault != nil {
			return k, fault, nil
		}
		leave := s.enter(ctx, domain)
		if leave == nil { // somebody else has been at it
			continue
		}
		fresh, err := s.renew(ctx, domain, id, k)
		leave()
		if ctx.Err() != nil && err != nil {
			return nil, nil, context.Cause(ctx)
		}
		if err != nil {
			return k, err, nil
		}
		return fresh, nil, nil
	}
}

// announced returns the id that the domain tells now; "" if it tells none, or nobody
// answers: then what is kept holds.
func (s *Source) announced(ctx context.Context, domain dns.Name) string {
	name, err := domain.Below("_mta-sts")
	if err != nil {
		return ""
	}
	a, err := s.Web.Resolver.TXT(ctx, name)
	if err != nil {
		return ""
	}
	return ParseRecord(a.Records)
}

// load returns what is kept, nil if that is nothing.
func (s *Source) load(ctx context.Context, domain dns.Name) (*kept, error) {
	state, err := s.States.State(ctx, Room, domain.String())
	if errors.Is(err, spool.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("MTA-STS: %w", err)
	}
	k := &kept{version: state.Version}
	if json.Unmarshal(state.Value, k) != nil {
		return nil, nil // of another version of the program
	}
	if k.policy, err = ParsePolicy(k.Text); err != nil || !time.Now().Before(k.over()) {
		return nil, nil
	}
	return k, nil
}

// renew fetches a policy and keeps it in the place of another.
func (s *Source) renew(ctx context.Context, domain dns.Name, id string, old *kept) (*kept, error) {
	p, err := Fetch(ctx, s.Web, domain)
	if err != nil {
		if ctx.Err() == nil {
			s.fail(domain, err)
		}
		return nil, err
	}
	k := &kept{ID: id, Fetched: time.Now(), Text: p.String(), policy: p}
	if p.MaxAge <= 0 {
		return k, nil // it holds for this question
	}
	return k, s.keep(ctx, domain, k, old)
}

// keep writes a policy. What could not be written is fetched again, or was written by
// somebody else.
func (s *Source) keep(ctx context.Context, domain dns.Name, k, old *kept) error {
	value, err := json.Marshal(k)
	if err != nil {
		return err
	}
	var was uint64
	if old != nil {
		was = old.version
	}
	state := spool.State{Room: Room, Key: domain.String(), Value: value, Expires: k.over()}
	if _, err := s.States.PutState(ctx, state, was); errors.Is(err, spool.ErrConflict) {
		if other, err := s.States.State(ctx, Room, domain.String()); err == nil {
			_, _ = s.States.PutState(ctx, state, other.Version)
		}
	}
	return nil
}

// enter returns nil, after a wait, if somebody else was fetching the policy.
func (s *Source) enter(ctx context.Context, domain dns.Name) (leave func()) {
	s.mu.Lock()
	busy := s.fetching[domain]
	if busy == nil {
		defer s.mu.Unlock()
		if s.fetching == nil {
			s.fetching = map[dns.Name]chan struct{}{}
		}
		over := make(chan struct{})
		s.fetching[domain] = over
		return func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.fetching, domain)
			close(over)
		}
	}
	s.mu.Unlock()
	select {
	case <-busy:
	case <-ctx.Done():
	}
	return nil
}

func (s *Source) fail(domain dns.Name, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil || len(s.failed) >= maxFailures {
		s.failed = map[dns.Name]failure{}
	}
	s.failed[domain] = failure{time.Now().Add(retryAfter), err}
}

// failure returns why the last fetch failed, if it is too early for another one.
func (s *Source) failure(domain dns.Name) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.failed[domain]
	if !ok || time.Now().Before(f.until) {
		return f.err
	}
	delete(s.failed, domain)
	return nil
}
