package remembered

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
)

// Memory is what was seen. It may be used by many goroutines.
type Memory struct {
	// States keep it, in the room [Room].
	States States
	// Keep is how long a good certificate is remembered; 0: 30 days.
	Keep time.Duration
	// Patience is how long mail waits for it to come back; 0: a day.
	Patience time.Duration
}

// States is the part of a [spool.Engine] that keeps what was seen.
type States interface {
	State(ctx context.Context, room, key string) (spool.State, error)
	PutState(ctx context.Context, state spool.State, was uint64) (version uint64, err error)
}

// Room is where it is kept, by domain and host.
const Room = "tls-seen"

// settled is how old what is kept may be before it is written again.
const settled = 12 * time.Hour

var (
	_ tlspolicy.Source   = (*Memory)(nil)
	_ tlspolicy.Observer = (*Memory)(nil)
)

// seen is what is kept of a host.
type seen struct {
	Good time.Time `json:"good"`          // the last good certificate
	Lost time.Time `json:"lost,omitzero"` // the first attempt since then that found none

	version uint64
}

// Demand implements [tlspolicy.Source].
func (m *Memory) Demand(ctx context.Context, q tlspolicy.Query) (tlspolicy.Demand, error) {
	if q.Host.IsRoot() {
		return tlspolicy.Demand{}, nil
	}
	s, err := m.load(ctx, q)
	if err != nil || s.Good.IsZero() || sabotage.Is("a good certificate is forgotten") {
		return tlspolicy.Demand{}, err
	}
	had := fmt.Sprintf("%s had verified TLS on %s", q.Host, day(s.Good))
	now := time.Now()
	over := s.Lost.Add(m.patience())
	switch {
	case s.Lost.IsZero():
		return tlspolicy.Demand{By: tlspolicy.ByMemory, Level: tlspolicy.Verified, Key: "memory", Why: fmt.Sprintf("%s; mail waits for it up to %s", had, m.patience())}, nil
	case now.Before(over):
		return tlspolicy.Demand{
			By: tlspolicy.ByMemory, Level: tlspolicy.Verified, Key: "memory", Until: over,
			Why: fmt.Sprintf("%s; mail waits for it until %s", had, day(over)),
		}, nil
	}
	return tlspolicy.Demand{Why: fmt.Sprintf("%s and has had none since %s, so that mail goes without", had, day(s.Lost))}, nil
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Note implements [tlspolicy.Observer]. What could not be written was written by
// somebody else, or will be by the next delivery.
func (m *Memory) Note(ctx context.Context, r tlspolicy.Result) {
	if r.Query.Host.IsRoot() || !r.Addr.IsValid() || r.Demand.Verify != nil {
		return // a certificate that was judged otherwise need not be good for the name
	}
	s, err := m.load(ctx, r.Query)
	if err != nil {
		return
	}
	switch {
	case r.Verified && (!s.Lost.IsZero() || r.At.Sub(s.Good) > settled):
		s.Good, s.Lost = r.At, time.Time{}
	case !r.Verified && r.Err != nil && r.Demand.By == tlspolicy.ByMemory && s.Lost.IsZero() && !s.Good.IsZero():
		s.Lost = r.At
	default:
		return
	}
	value, err := json.Marshal(s)
	if err != nil {
		return
	}
	_, _ = m.States.PutState(ctx, spool.State{
		Room: Room, Key: key(r.Query), Value: value, Expires: s.Good.Add(m.keep()),
	}, s.version)
}

// load returns what is kept; the zero value if that is nothing.
func (m *Memory) load(ctx context.Context, q tlspolicy.Query) (seen, error) {
	state, err := m.States.State(ctx, Room, key(q))
	if errors.Is(err, spool.ErrNotFound) {
		return seen{}, nil
	}
	if err != nil {
		return seen{}, fmt.Errorf("TLS seen before: %w", err)
	}
	s := seen{version: state.Version}
	if json.Unmarshal(state.Value, &s) != nil {
		s = seen{version: state.Version} // of another version of the program
	}
	return s, nil
}

func key(q tlspolicy.Query) string { return q.Domain.String() + " " + q.Host.String() }

func (m *Memory) keep() time.Duration     { return orElse(m.Keep, 30*24*time.Hour) }
func (m *Memory) patience() time.Duration { return orElse(m.Patience, 24*time.Hour) }

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
