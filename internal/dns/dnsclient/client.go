package dnsclient

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	wire "github.com/miekg/dns"

	"github.com/posthouse/posthouse/internal/dns"
)

// Client is a [dns.Resolver]. Its fields must not be changed after the first
// question.
type Client struct {
	// Servers are asked in turn until one answers, beginning with the one that
	// answered last. None: 127.0.0.1 and ::1.
	Servers []netip.AddrPort

	// TrustAD believes the AD bit of every server. Without it only a server at a
	// loopback address is believed, since anybody on the way can set the bit.
	TrustAD bool

	// Dial makes connections to servers; network is "udp" or "tcp". A connection
	// of network "udp" has one message in each read and write. nil is that of
	// [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Timeout  time.Duration // for one question to one server; 0: 5 seconds
	Attempts int           // how often all servers are asked; 0: twice

	// CacheSize is how many octets of answers are kept, as a rough measure; 0: 4
	// MiB; below zero none are.
	CacheSize int

	cache  cache
	server atomic.Uint32 // index of the one that answered last
}

var _ dns.ServiceResolver = (*Client)(nil)

// MX implements [dns.Resolver].
func (c *Client) MX(ctx context.Context, domain dns.Name) (dns.Answer[dns.MX], error) {
	if isLocalhost(domain) {
		return noData[dns.MX](domain, wire.TypeMX)
	}
	return lookup(ctx, c, domain, wire.TypeMX, func(rr wire.RR) (dns.MX, bool) {
		mx, ok := rr.(*wire.MX)
		if !ok {
			return dns.MX{}, false
		}
		host, err := dns.ParseName(mx.Mx)
		return dns.MX{Preference: mx.Preference, Host: host}, err == nil
	}, dns.SortMX)
}

// A implements [dns.Resolver].
func (c *Client) A(ctx context.Context, host dns.Name) (dns.Answer[netip.Addr], error) {
	if isLocalhost(host) {
		return local(host, netip.AddrFrom4([4]byte{127, 0, 0, 1})), nil
	}
	return lookup(ctx, c, host, wire.TypeA, func(rr wire.RR) (netip.Addr, bool) {
		a, ok := rr.(*wire.A)
		if !ok {
			return netip.Addr{}, false
		}
		addr, ok := netip.AddrFromSlice(a.A)
		return addr.Unmap(), ok && addr.Unmap().Is4()
	}, nil)
}

// AAAA implements [dns.Resolver].
func (c *Client) AAAA(ctx context.Context, host dns.Name) (dns.Answer[netip.Addr], error) {
	if isLocalhost(host) {
		return local(host, netip.IPv6Loopback()), nil
	}
	return lookup(ctx, c, host, wire.TypeAAAA, func(rr wire.RR) (netip.Addr, bool) {
		a, ok := rr.(*wire.AAAA)
		if !ok {
			return netip.Addr{}, false
		}
		addr, ok := netip.AddrFromSlice(a.AAAA)
		return addr, ok && addr.Is6() && !addr.Is4In6()
	}, nil)
}

// TXT implements [dns.Resolver].
func (c *Client) TXT(ctx context.Context, name dns.Name) (dns.Answer[string], error) {
	return lookup(ctx, c, name, wire.TypeTXT, func(rr wire.RR) (string, bool) {
		txt, ok := rr.(*wire.TXT)
		if !ok {
			return "", false
		}
		return unescape(strings.Join(txt.Txt, "")), true
	}, nil)
}

// PTR implements [dns.Resolver].
func (c *Client) PTR(ctx context.Context, addr netip.Addr) (dns.Answer[dns.Name], error) {
	return lookup(ctx, c, dns.Reverse(addr), wire.TypePTR, func(rr wire.RR) (dns.Name, bool) {
		ptr, ok := rr.(*wire.PTR)
		if !ok {
			return dns.Name{}, false
		}
		n, err := dns.ParseName(ptr.Ptr)
		return n, err == nil && !n.IsRoot()
	}, nil)
}

// TLSA implements [dns.Resolver].
func (c *Client) TLSA(ctx context.Context, service dns.Name) (dns.Answer[dns.TLSA], error) {
	return lookup(ctx, c, service, wire.TypeTLSA, func(rr wire.RR) (dns.TLSA, bool) {
		r, ok := rr.(*wire.TLSA)
		if !ok {
			return dns.TLSA{}, false
		}
		data, err := hex.DecodeString(r.Certificate)
		return dns.TLSA{Usage: r.Usage, Selector: r.Selector, Matching: r.MatchingType, Data: data}, err == nil && len(data) > 0
	}, nil)
}

// SRV implements [dns.ServiceResolver].
func (c *Client) SRV(ctx context.Context, service dns.Name) (dns.Answer[dns.SRV], error) {
	return lookup(ctx, c, service, wire.TypeSRV, func(rr wire.RR) (dns.SRV, bool) {
		r, ok := rr.(*wire.SRV)
		if !ok {
			return dns.SRV{}, false
		}
		host, err := dns.ParseName(r.Target)
		return dns.SRV{Priority: r.Priority, Weight: r.Weight, Port: r.Port, Host: host}, err == nil
	}, nil)
}

// isLocalhost: names that are never asked (RFC 6761, 6.3).
func isLocalhost(n dns.Name) bool {
	return n.String() == "localhost" || strings.HasSuffix(n.String(), ".localhost")
}

func local(host dns.Name, addr netip.Addr) dns.Answer[netip.Addr] {
	return dns.Answer[netip.Addr]{Name: host, TTL: longest, Records: []netip.Addr{addr}}
}

func noData[T any](name dns.Name, typ uint16) (dns.Answer[T], error) {
	return dns.Answer[T]{Name: name, TTL: longest}, &dns.Error{Question: question(name.String(), typ), Err: dns.ErrNoData}
}

// Bounds on how long an answer is kept: a record, and a denial.
const (
	longest       = time.Hour
	longestDenial = 5 * time.Minute
)

// lookup answers a question from the cache or a server. read makes a record of
// one of the wire; sort may be nil.
func lookup[T any](ctx context.Context, c *Client, name dns.Name, typ uint16, read func(wire.RR) (T, bool), sort func([]T)) (dns.Answer[T], error) {
	asked := question(name.String(), typ)
	if e, left, ok := c.cache.get(asked, time.Now()); ok {
		a := e.answer.(dns.Answer[T])
		a.TTL = left
		return a, e.err
	}
	found, err := c.chase(ctx, name.String(), typ)
	if err != nil && !dns.Final(err) {
		return dns.Answer[T]{Name: name}, err
	}
	a := answer(name, found, read, sort)
	if err == nil && len(a.Records) == 0 {
		err = &dns.Error{Question: asked, Server: found.server, Err: dns.ErrUnusable, Detail: fmt.Sprintf("%d malformed", a.Omitted)}
	}
	c.cache.put(entry{asked, a, err, found.octets, time.Now().Add(found.ttl)}, c.CacheSize)
	return a, err
}

// answer makes an Answer of what was found, and keeps to its bounds.
func answer[T any](name dns.Name, found set, read func(wire.RR) (T, bool), sort func([]T)) dns.Answer[T] {
	a := dns.Answer[T]{Name: name, Authenticated: found.ad, TTL: found.ttl}
	if owner, err := dns.ParseName(found.owner); err == nil {
		a.Name = owner
	}
	for _, rr := range found.records {
		if r, ok := read(rr); ok {
			a.Records = append(a.Records, r)
		} else {
			a.Omitted++
		}
	}
	if sort != nil {
		sort(a.Records)
	}
	if beyond := len(a.Records) - dns.MaxRecords; beyond > 0 {
		a.Omitted += beyond
		a.Records = slices.Clip(a.Records[:dns.MaxRecords])
	}
	return a
}

// ask asks the servers in turn. The error is a [*dns.Error] that is temporary
// or bogus, or that of ctx.
func (c *Client) ask(ctx context.Context, name string, typ uint16) (reply, error) {
	servers := c.Servers
	if len(servers) == 0 {
		servers = thisHost
	}
	attempts := c.Attempts
	if attempts <= 0 {
		attempts = 2
	}
	first := int(c.server.Load())
	worst := &dns.Error{Question: question(name, typ), Err: dns.ErrTemporary}
	for i := range len(servers) * attempts {
		at := (first + i) % len(servers)
		r, err := c.exchange(ctx, servers[at], name, typ)
		if ctx.Err() != nil {
			return reply{}, context.Cause(ctx)
		}
		if err == nil {
			c.server.Store(uint32(at))
			return r, nil
		}
		if !errors.Is(worst.Err, dns.ErrBogus) {
			worst.Server, worst.Detail = servers[at].String(), line(err.Error())
		}
		if errors.Is(err, dns.ErrBogus) {
			worst.Err = dns.ErrBogus
		}
	}
	return reply{}, worst
}

// thisHost is where a resolver is if nobody says otherwise (resolv.conf(5)).
var thisHost = []netip.AddrPort{
	netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53),
	netip.AddrPortFrom(netip.IPv6Loopback(), 53),
}

func question(name string, typ uint16) string {
	return wire.TypeToString[typ] + " " + strings.TrimSuffix(name, ".")
}

// line makes one printable line of what may have come from outside.
func line(s string) string {
	const most = 200
	b := []byte(s[:min(len(s), most)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
