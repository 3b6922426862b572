package smtpserver

import (
	"cmp"
	"log/slog"
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
		ReadHeaderTimeout: cmp.Or(s.limits.Handshake, -1),
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if listed(s.ProxyFrom, addrPort(o.Upstream).Addr()) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.SKIP, nil
		},
	}
}

// identify finds out who the client is. It returns false if the peer had to say so
// with PROXY and did not.
func (c *Conn) identify() bool {
	if p, ok := c.nc.(*proxyproto.Conn); ok && p.ProxyHeader() == nil {
		c.peer = addrPort(p.Raw().RemoteAddr())
		c.log(slog.LevelWarn, "no header of the PROXY protocol from a peer in ProxyFrom")
		return false
	}
	c.peer = addrPort(c.nc.RemoteAddr())
	c.beginTrace()
	return true
}

func listed(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// addrPort returns the IP address and port of a, invalid if it has none. An
// IPv4 client of a listener for both families has an IPv4 address.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap = tcp.AddrPort()
	} else if a != nil {
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
