package cli

import (
	"bytes"
	"net/netip"
	"os"

	"github.com/posthouse/posthouse/internal/dns/dnsclient"
)

// Resolver asks the DNS at servers, "ADDRESS" or "ADDRESS:PORT" as the flag --dns has
// them; without any, at those of the system.
func Resolver(servers []string) (*dnsclient.Client, error) {
	c := &dnsclient.Client{}
	if len(servers) == 0 {
		text, err := os.ReadFile("/etc/resolv.conf")
		if err == nil {
			c, err = dnsclient.ReadResolvConf(bytes.NewReader(text))
		}
		if err != nil && !os.IsNotExist(err) {
			return nil, Fail(OSErr, "%w (name a resolver by --dns)", err)
		}
	}
	for _, s := range servers {
		at, err := netip.ParseAddrPort(s)
		if a, bad := netip.ParseAddr(s); bad == nil {
			at, err = netip.AddrPortFrom(a, 53), nil
		}
		if err != nil {
			return nil, Fail(Usage, "--dns %q is no IP address, alone or with a port as in 192.0.2.1:53", s)
		}
		c.Servers = append(c.Servers, at)
	}
	return c, nil
}
