package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Bounds of a plan.
const (
	maxHosts = 20 // of a domain; those of best preference are kept
	maxAddrs = 4  // of a host, in each family
	maxNotes = 50

	shortest     = 30 * time.Second // that a plan holds
	longest      = time.Hour
	longestFault = 5 * time.Minute
)

// Plan implements [transport.Planner]: RFC 5321, 5.1.
func (t *Transport) Plan(ctx context.Context, hop mail.Hop) transport.Plan {
	p := &planner{t: t, domain: hop.Destination, ttl: longest, plan: transport.Plan{Site: hop.Destination}}
	found := p.find(ctx)
	if p.fault == nil {
		p.resolve(ctx, found)
		p.dropSelf()
		p.choose()
	}
	if p.fault == nil {
		p.plan.Site = p.site()
	} else {
		p.plan.Fault, p.plan.Hosts, p.ttl = p.fault, nil, min(p.ttl, longestFault)
	}
	p.plan.Until = time.Now().Add(max(p.ttl, shortest))
	if p.fault != nil && ctx.Err() != nil {
		p.plan.Until = time.Now()
		if errors.Is(ctx.Err(), context.Canceled) {
			interrupted := transport.Interrupted()
			p.plan.Fault = &interrupted
		}
	}
	return p.plan
}

// planner is a plan that is being made.
type planner struct {
	t      *Transport
	domain string
	plan   transport.Plan
	hosts  []*candidate
	ttl    time.Duration
	fault  *mail.Outcome
}

// candidate is a host that may take the mail.
type candidate struct {
	name       string // for TLS and people
	lookup     dns.Name
	port       uint16
	preference int
	addrs      []netip.Addr
	self       bool
	err        error // why there are no addresses
	ttl        time.Duration
}

func (p *planner) note(format string, args ...any) {
	if len(p.plan.Notes) < maxNotes {
		p.plan.Notes = append(p.plan.Notes, transport.Line(fmt.Sprintf(format, args...)))
	}
}

// find returns the hosts that are named for the destination.
func (p *planner) find(ctx context.Context) []*candidate {
	switch {
	case p.t.Smarthost:
		return p.smarthosts()
	case strings.HasPrefix(p.domain, "["):
		return p.literal()
	}
	domain, err := dns.ParseName(p.domain)
	if err == nil && domain.IsRoot() {
		err = errors.New("nobody lives at the root")
	}
	if err != nil {
		p.fault = fault(mail.Failed, smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 2}, "%q is no domain: %v", p.domain, err)
		return nil
	}
	mx, err := p.t.Resolver.MX(ctx, domain)
	p.plan.Authenticated, p.ttl = mx.Authenticated, min(mx.TTL, longest)
	switch {
	case err == nil:
		return p.exchangers(mx)
	case errors.Is(err, dns.ErrNoData):
		// The implicit MX, which is a host of the domain's name.
		return []*candidate{{name: domain.String(), lookup: domain, port: p.port()}}
	case errors.Is(err, dns.ErrNotFound):
		p.fault = fault(mail.Failed, smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 2}, "The domain %s does not exist", domain)
	case errors.Is(err, dns.ErrUnusable):
		p.fault = fault(mail.Failed, smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 4, 4}, "The domain %s has no usable mail exchanger: %v", domain, said(err))
	default:
		p.fault = dnsFailed(err)
	}
	return nil
}

func (p *planner) port() uint16 { return orElse(p.t.Port, 25) }

// said is what the DNS has to say, without whom we asked: the sender reads it.
func said(err error) error {
	var e *dns.Error
	if !errors.As(err, &e) {
		return err
	}
	plain := *e
	plain.Server = ""
	return &plain
}

// dnsFailed is for a question that was not answered.
func dnsFailed(err error) *mail.Outcome {
	o := fault(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 4, 3}, "%v", err)
	o.HostDown = true
	return o
}

// exchangers makes candidates of MX records.
func (p *planner) exchangers(mx dns.Answer[dns.MX]) []*candidate {
	records := slices.DeleteFunc(slices.Clone(mx.Records), func(r dns.MX) bool { return r.Host.IsRoot() })
	if len(records) == 0 { // RFC 7505, 4.1
		p.fault = fault(mail.Failed, smtp.CodeDomainNoMail, smtp.EnhancedCode{5, 1, 10}, "The domain %s takes no mail (null MX)", p.domain)
		return nil
	}
	dns.SortMX(records)
	if omitted := mx.Omitted + max(len(records)-maxHosts, 0); omitted > 0 {
		p.note("%d of the MX records of %s are not used: too many, or malformed", omitted, p.domain)
	}
	var found []*candidate
	for _, r := range records[:min(len(records), maxHosts)] {
		found = append(found, &candidate{name: r.Host.String(), lookup: r.Host, port: p.port(), preference: int(r.Preference)})
	}
	return found
}

// literal is RFC 5321, 4.1.3.
func (p *planner) literal() []*candidate {
	addr, ok := smtp.ParseLiteral(p.domain)
	if !ok {
		p.fault = fault(mail.Failed, smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 2}, "%q is no address of a known kind", p.domain)
		return nil
	}
	p.plan.Authenticated = true
	return []*candidate{{name: addr.String(), port: p.port(), addrs: []netip.Addr{addr}}}
}

// smarthosts reads the list in a destination.
func (p *planner) smarthosts() []*candidate {
	p.plan.Authenticated = true
	var found []*candidate
	for entry := range strings.SplitSeq(p.domain, ",") {
		h, err := parseHost(strings.TrimSpace(entry), p.port())
		if err != nil {
			p.fault = fault(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 5}, "Smarthost %q: %v", entry, err)
			return nil
		}
		if len(found) < maxHosts {
			h.preference = len(found)
			found = append(found, h)
		}
	}
	return found
}

// resolve finds the addresses of all hosts, at once.
func (p *planner) resolve(ctx context.Context, found []*candidate) {
	var wait sync.WaitGroup
	for _, h := range found {
		h.ttl = longest
		if len(h.addrs) == 0 {
			wait.Go(func() { p.t.addresses(ctx, h) })
		}
	}
	wait.Wait()
	p.hosts = found
	for _, h := range found {
		p.ttl = min(p.ttl, h.ttl)
		p.sift(h)
	}
}

// addresses asks for both families at once. One that fails does not matter if the
// other has addresses.
func (t *Transport) addresses(ctx context.Context, h *candidate) {
	v4, v6 := dns.Answer[netip.Addr]{TTL: longest}, dns.Answer[netip.Addr]{TTL: longest}
	err4, err6 := error(dns.ErrNoData), error(dns.ErrNoData)
	var wait sync.WaitGroup
	if !t.NoIPv4 {
		wait.Go(func() { v4, err4 = t.Resolver.A(ctx, h.lookup) })
	}
	if !t.NoIPv6 {
		v6, err6 = t.Resolver.AAAA(ctx, h.lookup)
	}
	wait.Wait()
	h.addrs = slices.Concat(v6.Records, v4.Records)
	h.ttl = min(v4.TTL, v6.TTL)
	if len(h.addrs) == 0 {
		h.err = err4
		if dns.Final(err4) || t.NoIPv4 {
			h.err = err6
		}
	}
}

// sift keeps the addresses that a host can have, and notices ours.
func (p *planner) sift(h *candidate) {
	var usable []netip.Addr
	room := map[bool]int{true: maxAddrs, false: maxAddrs} // by: is it IPv4
	for _, a := range h.addrs {
		a = a.Unmap()
		switch {
		case p.t.isSelf(a):
			h.self = true
		case a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			p.note("%s has the address %s, where no host can be", h.name, a)
		case a.Is4() && p.t.NoIPv4 || a.Is6() && p.t.NoIPv6:
		case room[a.Is4()] > 0:
			room[a.Is4()]--
			usable = append(usable, a)
		}
	}
	h.addrs = usable
	if h.err == nil && len(h.addrs) == 0 && !h.self {
		h.err = dns.ErrUnusable
	}
	h.self = !p.t.Smarthost && (h.self || slices.Contains(p.t.Self.Names, h.lookup) && !h.lookup.IsRoot())
}

func (t *Transport) isSelf(a netip.Addr) bool {
	if t.Smarthost {
		return false
	}
	return a.IsLoopback() && !t.AllowLoopback || slices.Contains(t.Self.Addrs, a)
}

// dropSelf is the rule of RFC 5321, 5.1, against loops: if we are among the hosts,
// those of our preference and of higher ones are left out.
func (p *planner) dropSelf() {
	for _, h := range p.hosts {
		if !h.self {
			continue
		}
		p.note("%s (preference %d) is this host; it and those behind it are left out", h.name, h.preference)
		p.hosts = slices.DeleteFunc(slices.Clone(p.hosts), func(o *candidate) bool { return o.preference >= h.preference })
		break // the hosts are in order of preference
	}
	if len(p.hosts) == 0 {
		p.fault = fault(mail.Failed, smtp.CodeFailed, smtp.EnhancedCode{5, 4, 6}, "Mail for %s loops back to this host", p.domain)
	}
}

// choose makes the plan of the hosts that have addresses.
func (p *planner) choose() {
	var last error
	for _, h := range p.hosts {
		if h.err == nil {
			p.plan.Hosts = append(p.plan.Hosts, p.host(h))
			continue
		}
		p.note("%s has no address: %v", h.name, h.err)
		if last == nil || dns.Final(last) {
			last = h.err
		}
	}
	switch {
	case p.fault != nil || len(p.plan.Hosts) > 0:
	case !dns.Final(last), p.t.Smarthost: // the operator can mend a smarthost
		p.fault = dnsFailed(last)
	default:
		p.fault = fault(mail.Failed, smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 4, 4}, "No host that takes the mail of %s has an address: %v", p.domain, said(last))
	}
}

func (p *planner) host(h *candidate) transport.Host {
	policy, _ := p.t.policy(h.name)
	host := transport.Host{Name: h.name, Preference: h.preference, TLS: policyName(policy)}
	for _, a := range h.addrs {
		host.Addrs = append(host.Addrs, netip.AddrPortFrom(a, h.port))
	}
	return host
}

func policyName(p smtpclient.TLSPolicy) string {
	return [...]string{"required", "opportunistic", "implicit", "never"}[p]
}

// site names who operates the best hosts: their registered domains.
func (p *planner) site() string {
	if p.t.Smarthost {
		return p.domain
	}
	best := p.plan.Hosts[0].Preference
	var names []string
	for _, h := range p.plan.Hosts {
		if h.Preference != best {
			break
		}
		name, err := publicsuffix.EffectiveTLDPlusOne(h.Name)
		names = append(names, cmp.Or(name, h.Name))
		_ = err // a public suffix itself, or an address, stands for itself
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

// parseHost reads "name", "name:25", "192.0.2.1", "[2001:db8::1]:25" and the like.
func parseHost(s string, port uint16) (*candidate, error) {
	h := &candidate{port: port}
	if addr, err := netip.ParseAddrPort(s); err == nil {
		h.port, h.addrs = addr.Port(), []netip.Addr{addr.Addr()}
	} else if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		h.addrs = []netip.Addr{addr}
	}
	if len(h.addrs) > 0 {
		h.name = h.addrs[0].String()
		return h, nil
	}
	if name, number, ok := strings.Cut(s, ":"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n == 0 {
			return nil, errors.New("its port is none")
		}
		s, h.port = name, uint16(n)
	}
	name, err := dns.ParseName(s)
	h.name, h.lookup = name.String(), name
	return h, err
}
