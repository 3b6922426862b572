// Package tally counts how TLS turned out, for reports (RFC 8460): a [tlspolicy.Observer]
// that keeps a count for each domain and day.
package tally

import (
	"context"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlsrpt"
)

// Tally counts. There is one for the states of a spool.
type Tally struct{ spool.Daily[Count] }

// New returns a Tally that counts in the states of a spool.
func New(states spool.States) *Tally {
	return &Tally{spool.Daily[Count]{States: states, Room: Room}}
}

// Room is where counts are kept, by day and domain.
const Room = "tlsrpt"

// Bounds of a count. Failures beyond are counted in the sum alone.
const (
	maxPolicies = 20
	maxFailures = 50
)

var _ tlspolicy.Observer = (*Tally)(nil)

// Count is what was counted of a domain on a day.
type Count []tlsrpt.Policy

// Note implements [tlspolicy.Observer]. What cannot be written is not counted.
func (t *Tally) Note(ctx context.Context, r tlspolicy.Result) {
	if !r.Query.Domain.IsRoot() {
		_ = t.Add(ctx, r.At, r.Query.Domain.String(), func(c *Count) { c.add(&r) })
	}
}

// add counts a result.
func (c *Count) add(r *tlspolicy.Result) {
	kind := r.Kind()
	if kind == "" && !r.Encrypted && r.Demand.Level != tlspolicy.Never {
		kind = tlspolicy.StartTLSNotSupported
	}
	p := c.policy(typeOf(r, kind), r.Query.Domain.String(), r.Demand.Policy)
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
func (c *Count) policy(typ, domain string, lines []string) *tlsrpt.Policy {
	for i := range *c {
		if p := &(*c)[i]; p.Policy.Type == typ && slices.Equal(p.Policy.String, lines) {
			return p
		}
	}
	if len(*c) >= maxPolicies {
		return nil
	}
	var p tlsrpt.Policy
	p.Policy.Type, p.Policy.String, p.Policy.Domain = typ, lines, domain
	for _, line := range lines {
		if host, ok := strings.CutPrefix(line, "mx: "); ok && typ == tlsrpt.TypeSTS {
			p.Policy.MXHost = append(p.Policy.MXHost, host)
		}
	}
	*c = append(*c, p)
	return &(*c)[len(*c)-1]
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
