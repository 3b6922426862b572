package daemon

import (
	"strings"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/dnsbl"
	"github.com/posthouse/posthouse/internal/policy/greylist"
	"github.com/posthouse/posthouse/internal/policy/ratelimit"
	"github.com/posthouse/posthouse/internal/policy/sender"
	"github.com/posthouse/posthouse/smtp"
)

// buildPolicy makes what listeners ask of mail; nothing if none of them asks anything.
func (b *builder) buildPolicy(r *rooms) error {
	if !b.cfg.Judges() {
		return nil
	}
	checks, err := b.checks()
	if err != nil {
		return err
	}
	atMost := b.atMost()
	r.panels = map[string]*policy.Panel{}
	for i := range b.cfg.Listen {
		l := &b.cfg.Listen[i]
		if l.Policy.Value == config.PolicyOff {
			continue
		}
		r.panels[l.Name.Value] = &policy.Panel{Hostname: b.cfg.Hostname.Value, Checks: checks, Limit: limitOf(l.Policy), AtMost: atMost}
	}
	return nil
}

// checks are what is asked, in order: what costs little comes first.
func (b *builder) checks() ([]policy.Check, error) {
	resolver, err := b.resolver()
	if err != nil {
		return nil, err
	}
	checks := []policy.Check{b.rates()}
	if len(b.cfg.Policy.DNSBL) > 0 {
		checks = append(checks, b.lists(resolver))
	}
	checks = append(checks, b.sender(resolver))
	if g := &b.cfg.Policy.Greylist; g.Origin != (mail.Origin{}) {
		checks = append(checks, greylist.New(greylist.Options{
			States: b.states, Delay: g.Delay.Value, Window: g.Window.Value, Keep: g.Keep.Value, Origin: g.Origin,
		}))
	}
	return append(checks, b.milters()...), nil
}

// sender asks who sends.
func (b *builder) sender(resolver dns.Resolver) policy.Check {
	p := &b.cfg.Policy
	return sender.New(sender.Options{
		Resolver: authdns.Resolver{DNS: resolver}, Hostname: b.cfg.Hostname.Value,
		SPF: p.SPF.Value != config.PolicyOff, ReceivedSPF: p.Received.Value,
		DKIM:  p.DKIM.Value != config.PolicyOff,
		ARC:   p.ARC.Value != config.PolicyOff,
		IPRev: p.IPRev.Value != config.PolicyOff,
		DMARC: actionOf(p.DMARC.Value), DMARCOrigin: p.DMARC.Origin,
		DNSFailure: actionOf(p.DNSFailure.Value), DNSFailureOrigin: p.DNSFailure.Origin,
		Trusted: trusted(p.ARCTrusted.Value), Found: b.found(),
	})
}

// rates asks how often a client comes.
func (b *builder) rates() policy.Check {
	r := &b.cfg.Policy.Rates
	return ratelimit.New(ratelimit.Options{
		Table:   b.states.rates,
		Address: ratelimit.Rates{Connections: rateOf(r.Connections), Messages: rateOf(r.Messages), Recipients: rateOf(r.Recipients)},
		Network: ratelimit.Rates{
			Connections: rateOf(r.NetworkConnections), Messages: rateOf(r.NetworkMessages), Recipients: rateOf(r.NetworkRecipients),
		},
	})
}

func rateOf(s config.Setting[config.Rate]) ratelimit.Rate {
	return ratelimit.Rate{Count: s.Value.Count, Per: s.Value.Per, Origin: s.Origin}
}

// lists asks whether a client is in lists.
func (b *builder) lists(resolver dns.Resolver) policy.Check {
	p := &b.cfg.Policy
	o := dnsbl.Options{Resolver: resolver, Limit: p.DNSBLLimit.Value, Action: actionOf(p.DNSBLTo.Value), Origin: p.DNSBLTo.Origin}
	for i := range p.DNSBL {
		l := &p.DNSBL[i]
		zone, err := dns.ParseName(l.Zone)
		if err != nil {
			b.add(l.Origin, "%v", err)
			continue
		}
		o.Lists = append(o.Lists, dnsbl.List{Zone: zone, Answers: l.Answers.Value, Weight: l.Weight.Value, Reply: l.Reply.Value, Origin: l.Origin})
	}
	return dnsbl.New(o)
}

// actionOf is the action that a word of the configuration stands for.
func actionOf(word string) policy.Action {
	switch word {
	case config.PolicyMark:
		return policy.Mark
	case config.PolicyQuarantine:
		return policy.Quarantine
	case config.PolicyDefer:
		return policy.Defer
	case config.PolicyReject, config.PolicyHonour:
		return policy.Reject
	}
	return policy.Pass
}

// trusted reports of whom a list of domains speaks.
func trusted(patterns []string) func(domain string) bool {
	return func(domain string) bool {
		for _, p := range patterns {
			if domain == p || p[0] == '.' && strings.HasSuffix(domain, p) {
				return true
			}
		}
		return false
	}
}

// limitOf is how far a setting lets policy go, nil if it lets it do what it wants.
func limitOf(s config.Setting[string]) *policy.Limit {
	if s.Value == config.PolicyReject {
		return nil
	}
	return &policy.Limit{Action: actionOf(s.Value), Origin: s.Origin}
}

// atMost says how far policy goes with mail to somebody; nil if no domain wants less than all of it.
func (b *builder) atMost() func(to smtp.Path) *policy.Limit {
	limits := map[string]*policy.Limit{}
	for i := range b.cfg.Domains {
		d := &b.cfg.Domains[i]
		l := limitOf(d.Policy)
		if l == nil {
			continue
		}
		for _, name := range append([]string{d.Name}, d.Also.Value...) {
			limits[name] = l
		}
	}
	if len(limits) == 0 {
		return nil
	}
	return func(to smtp.Path) *policy.Limit { return limits[mail.FoldDomain(to.Domain())] }
}
