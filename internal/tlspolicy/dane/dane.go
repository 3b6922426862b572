package dane

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/tlspolicy"
)

// Source is a [tlspolicy.Source].
type Source struct {
	// Resolver validates, and is trusted to.
	Resolver dns.Resolver
}

var _ tlspolicy.Source = (*Source)(nil)

// Demand implements [tlspolicy.Source].
func (s *Source) Demand(ctx context.Context, q tlspolicy.Query) (tlspolicy.Demand, error) {
	if !q.Signed || !q.HostSigned || q.Host.IsRoot() {
		return tlspolicy.Demand{}, nil
	}
	// RFC 7672, 2.2.2: the name behind CNAME records goes first.
	for _, base := range slices.Compact([]dns.Name{q.Canonical, q.Host}) {
		if base.IsRoot() {
			continue
		}
		d, err := s.at(ctx, base, q)
		if err != nil || !d.IsZero() {
			return d, err
		}
	}
	return tlspolicy.Demand{}, nil
}

// at asks for the records of a host by one of its names.
func (s *Source) at(ctx context.Context, base dns.Name, q tlspolicy.Query) (tlspolicy.Demand, error) {
	service, err := base.Below(fmt.Sprintf("_%d._tcp", q.Port))
	if err != nil {
		return tlspolicy.Demand{}, nil // the name is too long to have such records
	}
	a, err := s.Resolver.TLSA(ctx, service)
	switch {
	case err != nil && !dns.Final(err) && !sabotage.Is("TLSA records that cannot be had ask for nothing"):
		return tlspolicy.Demand{}, fmt.Errorf("DANE: %w", err)
	case !a.Authenticated:
		return tlspolicy.Demand{}, nil
	case errors.Is(err, dns.ErrUnusable) && a.Omitted == 0:
		return tlspolicy.Demand{}, fmt.Errorf("DANE: %w", err) // CNAME records without end
	case err != nil && a.Omitted == 0:
		return tlspolicy.Demand{}, nil // denied
	}
	return demand(service, base, a, q), nil
}

// demand makes a demand of signed records.
func demand(service, base dns.Name, a dns.Answer[dns.TLSA], q tlspolicy.Query) tlspolicy.Demand {
	d := tlspolicy.Demand{
		By: tlspolicy.ByDANE, Level: tlspolicy.Verified, ServerName: base.String(), NamesHost: true,
		Why: "DANE, the TLSA records of " + service.String(), Until: time.Now().Add(a.TTL),
	}
	for _, r := range a.Records {
		d.Policy = append(d.Policy, fmt.Sprintf("%d %d %d %x", r.Usage, r.Selector, r.Matching, r.Data))
	}
	d.Key = fmt.Sprintf("dane %s %x", base, sha256.Sum256([]byte(strings.Join(d.Policy, ","))))
	usable := strongest(a.Records)
	if len(usable) == 0 {
		d.Level = tlspolicy.Encrypted // RFC 7672, 2.2
		d.Why += ", of which none can be used: TLS with any certificate"
		return d
	}
	names := slices.Compact([]string{base.String(), q.Host.String(), q.Domain.String()})
	d.Verify = verifier(usable, names)
	return d
}
