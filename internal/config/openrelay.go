package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// Networks of IPv6 that are not what they seem by their size.
var (
	uniqueLocal = netip.MustParsePrefix("fc00::/7")      // RFC 4193: one's own
	linkLocal   = netip.MustParsePrefix("fe80::/10")     // RFC 4291, 2.5.6: and these
	nat64       = netip.MustParsePrefix("64:ff9b::/96")  // RFC 6052: all of IPv4
	mapped      = netip.MustParsePrefix("::ffff:0:0/96") // RFC 4291, 2.5.5.2: and again
)

const openRelay = "this would be an open relay"

// checkNetworks refuses networks of strangers where clients are trusted: whom
// they may relay for, or what they say about others. Of IPv4 many narrow ones are
// as good as a wide one.
func (d *decoder) checkNetworks(s Setting[[]netip.Prefix], what string) {
	sum := 0.0
	distinct := outermost(s.Value)
	for _, p := range distinct {
		if wide(p) {
			d.add(s.Origin, "name the networks of your own hosts", "%s: whoever is in %s could %s", openRelay, p, what)
			return
		}
		if p.Addr().Is4() {
			sum += 1 / float64(uint64(1)<<min(p.Bits(), 63))
		}
	}
	if sum > 1.0/16 {
		d.add(s.Origin, "name the networks of your own hosts", "%s: whoever is in one of the %d networks could %s, and together they are %d %% of all of IPv4",
			openRelay, len(distinct), what, int(sum*100))
	}
}

// wide is a network of so many strangers that it must not be trusted. Of IPv4 a
// /8 is the widest that is anybody's own, of IPv6 a /32.
func wide(p netip.Prefix) bool {
	switch {
	case p.Addr().Is4():
		return p.Bits() < 8
	case p.Overlaps(nat64):
		return p.Bits() < nat64.Bits()+8
	case p.Overlaps(mapped):
		return true
	case within6(uniqueLocal, p), within6(linkLocal, p):
		return false
	}
	return p.Bits() < 32
}

// within6 reports whether all of p is in outer.
func within6(outer, p netip.Prefix) bool {
	return outer.Contains(p.Addr()) && p.Bits() >= outer.Bits()
}

// outermost returns the networks that are in no other one of them.
func outermost(all []netip.Prefix) []netip.Prefix {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	var out []netip.Prefix
	for _, p := range sorted {
		if n := len(out); n == 0 || !out[n-1].Contains(p.Addr()) {
			out = append(out, p)
		}
	}
	return out
}

// checkRelayDomains refuses to be the backup MX of everybody.
func (d *decoder) checkRelayDomains(r *Relay) {
	for _, p := range r.Domains.Value {
		s := strings.Trim(strings.TrimPrefix(string(p), "*"), ".")
		switch {
		case strings.Contains(s, "*") || !strings.Contains(s, "."):
			d.add(r.Domains.Origin, "name the domains that you are a backup MX of", "%s: everybody could send to all of %q", openRelay, p)
		case p == "<>" || strings.Contains(s, "@"):
			d.add(r.Domains.Origin, "", "%q is no domain", p)
		}
	}
}

// checkRelay looks at everything by which a stranger could come to relay.
func (d *decoder) checkRelay(c *Config) {
	d.checkNetworks(c.Relay.Networks, "send mail to everybody through us")
	d.checkRelayDomains(&c.Relay)
	for i := range c.Listen {
		l := &c.Listen[i]
		d.checkNetworks(l.ProxyFrom, "claim to come from any address")
		d.checkNetworks(l.XClientFrom, "claim to be any client")
	}
	if c.Relay.Origin != (mail.Origin{}) && len(c.Listen) == 0 {
		d.add(c.Relay.Origin, `write listen "smtp" { ... }`, "relay is of no use, since there is no listener")
	}
}
