package dnsclient

import (
	"bufio"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxServers is how many servers of resolv.conf are asked, and maxResolvConf how
// many octets of it are read.
const (
	maxServers    = 3 // as resolv.conf(5) has it
	maxResolvConf = 64 << 10
)

// ReadResolvConf makes a client of a file as resolv.conf(5) describes it:
// nameserver, and the options timeout, attempts and trust-ad. Other lines, and
// values that make no sense, are passed over; search domains are, since mail has
// none (RFC 5321, 5.1).
func ReadResolvConf(r io.Reader) (*Client, error) {
	c := &Client{}
	lines := bufio.NewScanner(io.LimitReader(r, maxResolvConf))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) < 2:
		case words[0] == "nameserver":
			c.addServer(words[1])
		case words[0] == "options":
			c.setOptions(words[1:])
		}
	}
	return c, lines.Err()
}

func (c *Client) addServer(s string) {
	if a, err := netip.ParseAddr(s); err == nil && len(c.Servers) < maxServers {
		c.Servers = append(c.Servers, netip.AddrPortFrom(a, 53))
	}
}

func (c *Client) setOptions(words []string) {
	for _, w := range words {
		name, value, _ := strings.Cut(w, ":")
		n, err := strconv.Atoi(value)
		valid := err == nil && n >= 1
		switch {
		case name == "trust-ad":
			c.TrustAD = true
		case name == "timeout" && valid:
			c.Timeout = time.Duration(min(n, 30)) * time.Second
		case name == "attempts" && valid:
			c.Attempts = min(n, 5)
		}
	}
}
