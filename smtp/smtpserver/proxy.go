package smtpserver

import (
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// proxied makes connections from the peers in ProxyFrom begin with a header of
// the PROXY protocol. The header is read when the address is first asked for,
// which is in the connection's own goroutine.
func (s *Server) proxied(l net.Listener) net.Listener {
	if len(s.ProxyFrom) == 0 {
		return l
	}
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: s.limits.Handshake,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if listed(s.ProxyFrom, addrPort(o.Upstream).Addr()) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.SKIP, nil
		},
	}
}

func listed(list []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// addrPort returns the IP address and port of a, invalid if it has none.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort()
	case nil:
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return ap
}
