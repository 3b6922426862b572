package session

import (
	"net"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// Inbound makes the traces of the connections of a listener, for
// smtpserver.Server.Trace. Their numbers have to be those of [Registry.NextID].
func (r *Registry) Inbound(listener string) func(*smtpserver.Conn) *smtpserver.Trace {
	return func(c *smtpserver.Conn) *smtpserver.Trace {
		now := time.Now()
		s := r.begin(View{
			ID: c.ID(), Direction: In, Name: listener, Peer: c.RemoteAddr(), Started: now, Since: now,
		}, c.Cut)
		hello, peer := "", c.RemoteAddr()
		return &smtpserver.Trace{
			In: s.command, Text: s.texted, TLS: s.secured,
			Out: func(at time.Time, line []byte) {
				s.reply(at, line)
				if h, p := c.Hello(), c.RemoteAddr(); h != hello || p != peer {
					hello, peer = h, p
					s.known(h, p)
				}
			},
			End: func(at time.Time, err error) { r.end(s, at, err) },
		}
	}
}

// Outbound is a trace of a connection that we have made to a host, for
// smtpclient.Dialer.Trace.
func (r *Registry) Outbound(host string, nc net.Conn) *smtpclient.Trace {
	now := time.Now()
	s := r.begin(View{
		ID: r.NextID(), Direction: Out, Name: host, Peer: addrPort(nc.RemoteAddr()), Started: now, Since: now,
	}, func() { _ = nc.Close() })
	s.trace = &smtpclient.Trace{
		Sent:     s.command,
		Received: func(at time.Time, line []byte) { s.reply(at, shown(line)) },
		Text:     s.texted, TLS: s.secured,
		End: func(at time.Time, err error) { r.end(s, at, err) },
	}
	r.mu.Lock()
	r.out[s.trace] = s
	r.mu.Unlock()
	return s.trace
}

// addrPort is the IP address and port of a; invalid if it has none.
func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(a.String()) // else it is the socket of a unix
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// shown is a line of a stranger without what no terminal should see. Nearly every line
// is as it came.
func shown(line []byte) []byte {
	for _, b := range line {
		if b < ' ' || b > '~' {
			return []byte(printable(string(line)))
		}
	}
	return line
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return '?'
	}, s)
}
