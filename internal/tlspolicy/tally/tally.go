// Package tally counts how TLS turned out, for reports (RFC 8460): a [tlspolicy.Observer]
// that keeps a count for each domain and day.
package tally

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlsrpt"
)

// Tally counts. There is one for the states of a spool.
type Tally struct {
	States States // in the room [Room]
}

// States is the part of a [spool.Engine] that keeps counts.
type States interface {
	State(ctx context.Context, room, key string) (spool.State, error)
	PutState(ctx context.Context, state spool.State, was uint64) (version uint64, err error)
	States(ctx context.Context, room, after string, limit int) ([]spool.State, error)
}

// Room is where counts are kept, by day and domain.
const Room = "tlsrpt"

// Bounds of a count. Failures beyond are counted in the sum alone.
const (
	keep        = 4 * 24 * time.Hour // a report that cannot be sent is given up then
	maxPolicies = 20
	maxFailures = 50
	maxTries    = 50
)

var _ tlspolicy.Observer = (*Tally)(nil)

// Count is what was counted of a domain on a day.
type Count struct {
	Day      time.Time // its beginning, in UTC
	Domain   string
	Policies []tlsrpt.Policy

	version uint64
}

// Note implements [tlspolicy.Observer]. What cannot be written is not counted.
func (t *Tally) Note(ctx context.Context, r tlspolicy.Result) {
	if r.Query.Domain.IsRoot() {
		return
	}
	for range maxTries { // others count too
		if err := t.note(ctx, &r); !errors.Is(err, spool.ErrConflict) {
			return
		}
	}
}

func (t *Tally) note(ctx context.Context, r *tlspolicy.Result) error {
	c := Count{Day: r.At.UTC().Truncate(24 * time.Hour), Domain: r.Query.Domain.String()}
	state, err := t.States.State(ctx, Room, c.key())
	if err == nil {
		err = json.Unmarshal(state.Value, &c.Policies)
	} else if errors.Is(err, spool.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	c.add(r)
	value, err := json.Marshal(c.Policies)
	if err == nil {
		_, err = t.States.PutState(ctx, spool.State{Room: Room, Key: c.key(), Value: value, Expires: c.Day.Add(keep)}, state.Version)
	}
	return err
}

func (c *Count) key() string { return c.Day.Format(time.DateOnly) + " " + c.Domain }

// add counts a result.
func (c *Count) add(r *tlspolicy.Result) {
	kind := r.Kind()
	if kind == "" && !r.Encrypted && r.Demand.Level != tlspolicy.Never {
		kind = tlspolicy.StartTLSNotSupported
	}
	p := c.policy(typeOf(r, kind), r.Demand.Policy)
	if p == nil {
		return
	}
	if kind == "" {
		p.Summary.Successful++
		return
	}
	p.Summary.Failed++
	f := tlsrpt.Failure{Type: string(kind), MX: r.Query.Host.String(), Count: 1}
	if r.Addr.IsValid() {
		f.Receiver = r.Addr.Addr().String()
	}
	if r.Err != nil {
		f.Reason = tlspolicy.Line(r.Err.Error())
	}
	for i := range p.Failures {
		same := p.Failures[i]
		same.Count, same.Reason = f.Count, f.Reason // of many reasons the first is told
		if same == f {
			p.Failures[i].Count++
			return
		}
	}
	if len(p.Failures) < maxFailures {
		p.Failures = append(p.Failures, f)
	}
}

// policy finds the count of a policy; nil if there are too many.
func (c *Count) policy(typ string, lines []string) *tlsrpt.Policy {
	for i := range c.Policies {
		if p := &c.Policies[i]; p.Policy.Type == typ && slices.Equal(p.Policy.String, lines) {
			return p
		}
	}
	if len(c.Policies) >= maxPolicies {
		return nil
	}
	var p tlsrpt.Policy
	p.Policy.Type, p.Policy.String, p.Policy.Domain = typ, lines, c.Domain
	for _, line := range lines {
		if host, ok := strings.CutPrefix(line, "mx: "); ok && typ == tlsrpt.TypeSTS {
			p.Policy.MXHost = append(p.Policy.MXHost, host)
		}
	}
	c.Policies = append(c.Policies, p)
	return &c.Policies[len(c.Policies)-1]
}

// typeOf says which policy a result is about: the one that was asked for, or that could not
// be had.
func typeOf(r *tlspolicy.Result, kind tlspolicy.Failure) string {
	switch {
	case r.Demand.By == tlspolicy.ByDANE || kind == tlspolicy.DNSSECInvalid:
		return tlsrpt.TypeDANE
	case r.Demand.By == tlspolicy.ByMTASTS || strings.HasPrefix(string(kind), "sts-"):
		return tlsrpt.TypeSTS
	}
	return tlsrpt.TypeNone
}

// Before returns the counts of days that were over at a time, those of the first day first.
func (t *Tally) Before(ctx context.Context, now time.Time) ([]Count, error) {
	today := now.UTC().Truncate(24 * time.Hour)
	var counts []Count
	for after := ""; ; {
		page, err := t.States.States(ctx, Room, after, spool.MaxPage)
		if err != nil || len(page) == 0 {
			return counts, err
		}
		for _, s := range page {
			after = s.Key
			day, domain, _ := strings.Cut(s.Key, " ")
			begin, err := time.Parse(time.DateOnly, day)
			if err != nil || !begin.Before(today) {
				continue
			}
			c := Count{Day: begin, Domain: domain, version: s.Version}
			if json.Unmarshal(s.Value, &c.Policies) == nil {
				counts = append(counts, c)
			}
		}
	}
}

// Done forgets a count, since its report was sent or nobody wants it.
func (t *Tally) Done(ctx context.Context, c *Count) error {
	_, err := t.States.PutState(ctx, spool.State{Room: Room, Key: c.key()}, c.version)
	return err
}
