package daemon

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/policy/ratelimit"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/dane"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
	"github.com/posthouse/posthouse/internal/tlspolicy/remembered"
	"github.com/posthouse/posthouse/internal/tlspolicy/tally"
	"github.com/posthouse/posthouse/internal/transport/remote"
)

// states are those of the spool, once it is open: the rooms are built before. Until then
// nothing is kept.
type states struct {
	engine atomic.Pointer[spool.Engine]
	relays keptRelays
	rates  *ratelimit.Table // how often clients came
}

func (s *states) open(e spool.Engine) { s.engine.Store(&e) }

// States is that of a [spool.Engine].
func (s *states) States(ctx context.Context, room, after string, limit int) ([]spool.State, error) {
	if e := s.engine.Load(); e != nil {
		return (*e).States(ctx, room, after, limit)
	}
	return nil, nil
}

// State is that of a [spool.Engine].
func (s *states) State(ctx context.Context, room, key string) (spool.State, error) {
	if e := s.engine.Load(); e != nil {
		return (*e).State(ctx, room, key)
	}
	return spool.State{}, spool.ErrNotFound
}

// PutState is that of a [spool.Engine].
func (s *states) PutState(ctx context.Context, state spool.State, was uint64) (uint64, error) {
	if e := s.engine.Load(); e != nil {
		return (*e).PutState(ctx, state, was)
	}
	return 0, spool.ErrConflict
}

// secure has a transport ask how much security the hosts of strangers need: first what the
// configuration says, then the hosts and their domains, then what was seen before.
func (b *builder) secure(t *remote.Transport, r *config.Route) {
	t.TLSConfig = &tls.Config{RootCAs: b.world.Roots, MinVersion: tls.VersionTLS12}
	sources, observers := b.recipients(t.Resolver)
	rules := append(b.rules[:len(b.rules):len(b.rules)], ruleOfRoute(r)...)
	t.Judge, t.Observer = append(tlspolicy.InOrder{rules}, sources...), observers
}

// recipients are the sources that tell what the other side wants: one of each for all
// transports, since they remember.
func (b *builder) recipients(resolver dns.Resolver) (tlspolicy.InOrder, tlspolicy.Observers) {
	if b.judges != nil {
		return b.judges, b.observers
	}
	s := &b.cfg.Security
	b.rules, b.judges = b.tlsRules(), tlspolicy.InOrder{}
	if s.DANE.Value {
		b.judges = append(b.judges, &dane.Source{Resolver: resolver})
	}
	if s.MTASTS.Value {
		b.judges = append(b.judges, &mtasts.Source{States: b.states, Web: b.web(resolver)})
	}
	if !s.ReportFrom.Value.IsNull() {
		b.tally = tally.New(b.states)
		b.observers = append(b.observers, b.tally)
	}
	if s.Remember.Value != config.None {
		memory := &remembered.Memory{States: b.states, Keep: s.Remember.Value, Patience: s.Patience.Value}
		b.judges, b.observers = append(b.judges, memory), append(b.observers, memory)
	}
	return b.judges, b.observers
}

// web is the way to web servers of strangers.
func (b *builder) web(resolver dns.Resolver) *publicweb.Client {
	return &publicweb.Client{
		Resolver: resolver, Roots: b.world.Roots,
		Dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return b.world.from(ctx, netip.Addr{}, to)
		},
	}
}

// tlsRules are what the configuration says of domains.
func (b *builder) tlsRules() tlspolicy.Rules {
	var rules tlspolicy.Rules
	for i := range b.cfg.TLS {
		c := &b.cfg.TLS[i]
		rules = append(rules, tlspolicy.Rule{
			Domain: c.Domain, Level: levelOf(c.Level.Value), Names: c.Names.Value, Roots: b.authorities(c.CA), Origin: c.Origin,
		})
	}
	return rules
}

// ruleOfRoute is what a route says of all its mail. That it is opportunistic leaves it to
// the hosts to ask for more.
func ruleOfRoute(r *config.Route) tlspolicy.Rules {
	if r.TLS.Value != config.TLSRequire && r.TLS.Value != config.TLSNever {
		return nil
	}
	return tlspolicy.Rules{{Domain: "*", Level: levelOf(r.TLS.Value), Origin: r.TLS.Origin}}
}

func levelOf(word string) tlspolicy.Level {
	switch word {
	case config.TLSOpportunistic:
		return tlspolicy.Opportunistic
	case config.TLSEncrypt:
		return tlspolicy.Encrypted
	case config.TLSNever:
		return tlspolicy.Never
	}
	return tlspolicy.Verified
}
