package publicweb

import "net/netip"

// isPublic reports whether an address can be that of a stranger's web server, and
// not of a machine of ours that trusts who is near (the registries of RFC 6890).
func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" {
		return false // loopback, link-local, multicast and unspecified are no global unicast
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	if inner, ok := embedded(a); ok {
		return isPublic(inner)
	}
	return true
}

// reserved are networks where no public server is, beside those that package netip knows.
var reserved = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carriers
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), // local translation
	netip.MustParsePrefix("100::/64"),       // discarded
	netip.MustParsePrefix("fec0::/10"),      // once site-local
	netip.MustParsePrefix("2001::/32"),      // Teredo
}

// embedded returns the IPv4 address that a translator would take from an IPv6 address.
func embedded(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	switch {
	case a.Is4():
	case b[0] == 0x20 && b[1] == 0x02: // 6to4
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case netip.PrefixFrom(a, 96).Masked() == netip.MustParsePrefix("64:ff9b::/96"): // NAT64
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return netip.Addr{}, false
}
