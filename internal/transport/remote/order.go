package remote

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/transport"
)

// order returns the hosts in the order in which they are tried: by preference,
// equal ones shuffled (RFC 5321, 5.1), and those that failed a moment ago behind
// all others. It is a function of the message and the second, and the seed, so
// that deliveries that run side by side need no common source of chance.
func (t *Transport) order(d *transport.Delivery, hosts []transport.Host) []transport.Host {
	id := d.Envelope.ID
	chance := rand.New(rand.NewPCG(t.Seed^binary.BigEndian.Uint64(id[:8]), uint64(binary.BigEndian.Uint32(id[8:]))<<32^uint64(time.Now().Unix())))
	hosts = slices.Clone(hosts)
	for from := 0; from < len(hosts); {
		to := from + 1
		for to < len(hosts) && hosts[to].Preference == hosts[from].Preference {
			to++
		}
		equal := hosts[from:to]
		chance.Shuffle(len(equal), func(i, k int) { equal[i], equal[k] = equal[k], equal[i] })
		from = to
	}
	for i := range hosts {
		hosts[i].Addrs = t.orderAddrs(hosts[i].Addrs)
	}
	return goodFirst(hosts, func(h transport.Host) bool { return len(h.Addrs) > 0 && t.bad.has(h.Addrs[0]) })
}

// orderAddrs puts the families in turns, IPv6 first, as they came in each
// (RFC 8305, 4), and those that failed a moment ago last.
func (t *Transport) orderAddrs(addrs []netip.AddrPort) []netip.AddrPort {
	var families [2][]netip.AddrPort
	for _, a := range addrs {
		i := 0
		if a.Addr().Is4() {
			i = 1
		}
		families[i] = append(families[i], a)
	}
	ordered := make([]netip.AddrPort, 0, len(addrs))
	for i := range addrs {
		for _, f := range families {
			if i < len(f) {
				ordered = append(ordered, f[i])
			}
		}
	}
	return goodFirst(ordered, t.bad.has)
}

// goodFirst moves what is bad to the end, and keeps the order otherwise.
func goodFirst[T any](all []T, bad func(T) bool) []T {
	var last []T
	good := make([]T, 0, len(all))
	for _, x := range all {
		if bad(x) {
			last = append(last, x)
		} else {
			good = append(good, x)
		}
	}
	return append(good, last...)
}
