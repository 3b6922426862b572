package cli

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// LocalServer is where "posthouse run" listens and the other commands look for
// it when they are told nothing else.
const LocalServer = "127.0.0.1:2525"

// LocalConsole is where "posthouse run" shows its inbox to browsers.
const LocalConsole = "127.0.0.1:8025"

// HostPort reads "host:port", "host", "[::1]:port" or "::1" and returns what
// net.Dial takes. The port given is used when s has none.
func HostPort(s, port string) (string, error) {
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		host, p = withoutBrackets(s), port
	}
	n, err := strconv.Atoi(p)
	if err != nil || n < 0 || n > 65535 {
		return "", Fail(Usage, "%q has no valid port (give HOST:PORT)", s)
	}
	if !couldBeHost(host) {
		return "", Fail(Usage, "%q names no host (give HOST:PORT)", s)
	}
	return net.JoinHostPort(host, p), nil
}

func withoutBrackets(s string) string {
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		return inner[:len(inner)-1]
	}
	return s
}

// couldBeHost spares a resolver what is no name: a port that stands alone, and
// colons that make no IPv6 address.
func couldBeHost(host string) bool {
	if strings.Contains(host, ":") {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	_, err := strconv.ParseUint(host, 10, 64)
	return err != nil && host != "" && !strings.ContainsAny(host, " /[]")
}

// DialStatus is the status for a connection that could not be made: there is
// no such host, or it cannot be reached now.
func DialStatus(err error) Status {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return NoHost
	}
	return TempFail
}
