package spf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/posthouse/posthouse/senderauth"
)

var (
	errNoDomain   = errors.New("the client named no domain that could have a policy")
	errNoRecord   = errors.New("the domain publishes no SPF record")
	errTwoRecords = errors.New("the domain publishes more than one SPF record")
)

// check is one check_host with all that it includes.
type check struct {
	ctx      context.Context
	resolver senderauth.Resolver
	options  Options

	ip     netip.Addr
	helo   string
	local  string // of the sender
	sender string // its domain

	lookups int
	voids   int

	names     []string // validated names of ip
	haveNames bool
}

// outcome is the answer for one domain.
type outcome struct {
	verdict senderauth.Verdict
	by      string
	err     error
	exp     macroString // nil: none
	domain  string      // whose exp it is
}

// temporary is an error that makes the verdict TempError; others make it
// PermError.
type temporary struct{ error }

func (t temporary) Unwrap() error { return t.error }

func failed(err error) outcome {
	if errors.As(err, &temporary{}) {
		return outcome{verdict: senderauth.TempError, err: err}
	}
	return outcome{verdict: senderauth.PermError, err: err}
}

// host is check_host (RFC 7208, 4): the answer of the policy of one domain.
func (c *check) host(domain string) outcome {
	rec, err := c.fetch(domain)
	switch {
	case err == errNoRecord:
		return outcome{verdict: senderauth.None, err: fmt.Errorf("%s: %w", domain, err)}
	case err != nil:
		return failed(fmt.Errorf("%s: %w", domain, err))
	}
	for _, d := range rec.directives {
		matches, err := c.matches(domain, d)
		if err != nil {
			return failed(fmt.Errorf("%s: %.80q: %w", domain, d.text, err))
		}
		if matches {
			return outcome{verdict: d.match, by: d.text, exp: rec.exp, domain: domain}
		}
	}
	if rec.redirect != nil {
		return c.follow(domain, rec.redirect)
	}
	return outcome{verdict: senderauth.Neutral, by: "default"} // RFC 7208, 4.7
}

// follow is the redirect modifier (RFC 7208, 6.1).
func (c *check) follow(domain string, to macroString) outcome {
	if err := c.countLookup(); err != nil {
		return failed(fmt.Errorf("%s: redirect: %w", domain, err))
	}
	target, err := c.target(domain, to)
	if err != nil {
		return failed(fmt.Errorf("%s: redirect: %w", domain, err))
	}
	out := c.host(target)
	if out.verdict == senderauth.None {
		return failed(fmt.Errorf("%s: redirect: %w", domain, out.err))
	}
	return out
}

// fetch asks for the record of a domain and parses it (RFC 7208, 4.4 to 4.6).
func (c *check) fetch(domain string) (*record, error) {
	if !isDomain(domain) {
		return nil, errNoRecord
	}
	texts, err := c.resolver.LookupTXT(c.ctx, domain+".")
	if err := c.answered(len(texts), err); err != nil {
		return nil, err
	}
	var found []string
	for _, txt := range texts {
		if isRecord(txt) {
			found = append(found, txt)
		}
	}
	switch len(found) {
	case 0:
		return nil, errNoRecord
	case 1:
		return parseRecord(found[0])
	}
	return nil, errTwoRecords
}

// answered returns the error of a lookup that got no answer. That there are
// no records is an answer.
func (c *check) answered(records int, err error) error {
	if err == nil || records > 0 || senderauth.NotFound(err) {
		return nil
	}
	return temporary{err}
}

// countLookup counts a term that asks the DNS (RFC 7208, 4.6.4).
func (c *check) countLookup() error {
	if c.lookups >= c.options.Lookups {
		return fmt.Errorf("more than %d terms that ask the DNS", c.options.Lookups)
	}
	c.lookups++
	return nil
}

// countVoid counts a term that found nothing there (RFC 7208, 4.6.4).
func (c *check) countVoid() error {
	if c.voids++; c.voids > max(c.options.Voids, 0) {
		return fmt.Errorf("more than %d lookups found nothing", max(c.options.Voids, 0))
	}
	return nil
}

// matches evaluates one mechanism (RFC 7208, 5).
func (c *check) matches(domain string, d directive) (bool, error) {
	switch d.kind {
	case "all":
		return true, nil
	case "ip4", "ip6":
		return d.prefix.Addr().BitLen() == c.ip.BitLen() && d.prefix.Contains(c.ip), nil
	}
	if err := c.countLookup(); err != nil {
		return false, err
	}
	target, err := c.target(domain, d.domain)
	if err != nil {
		return false, err
	}
	switch d.kind {
	case "include":
		return c.includes(target)
	case "a":
		return c.matchesA(target, d)
	case "mx":
		return c.matchesMX(target, d)
	case "ptr":
		return c.matchesPTR(target)
	}
	return c.exists(target)
}

// target expands a domain-spec; without one it is the current domain.
func (c *check) target(domain string, spec macroString) (string, error) {
	if spec == nil {
		return domain, nil
	}
	name, err := spec.expand(func(letter byte) string { return c.macro(domain, letter) })
	return truncate(strings.TrimSuffix(name, ".")), err
}

// truncate removes labels from the left of a name that is too long for the
// DNS (RFC 7208, 7.3).
func truncate(name string) string {
	for len(name) > 253 {
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			break
		}
		name = rest
	}
	return name
}

// includes evaluates the policy of another domain (RFC 7208, 5.2).
func (c *check) includes(domain string) (bool, error) {
	out := c.host(domain)
	switch out.verdict {
	case senderauth.None, senderauth.PermError, senderauth.TempError:
		return false, out.err
	}
	return out.verdict == senderauth.Pass, nil
}

func (c *check) matchesA(name string, d directive) (bool, error) {
	ips, err := c.addresses(name, c.network())
	if err == nil && len(ips) == 0 {
		err = c.countVoid()
	}
	return c.among(ips, d), err
}

// among reports whether the client is in the same network as one of ips.
func (c *check) among(ips []netip.Addr, d directive) bool {
	bits := d.bits4
	if c.ip.Is6() {
		bits = d.bits6
	}
	for _, ip := range ips {
		if ip.BitLen() == c.ip.BitLen() && netip.PrefixFrom(ip, bits).Contains(c.ip) {
			return true
		}
	}
	return false
}

const maxHosts = 10 // of an MX or PTR answer: RFC 7208, 4.6.4

func (c *check) matchesMX(name string, d directive) (bool, error) {
	hosts, err := c.exchangers(name)
	if err != nil {
		return false, err
	}
	if len(hosts) == 0 {
		return false, c.countVoid()
	}
	if len(hosts) > maxHosts {
		return false, fmt.Errorf("%s has more than %d mail exchangers", name, maxHosts)
	}
	for _, mx := range hosts {
		ips, err := c.addresses(strings.TrimSuffix(mx.Host, "."), c.network())
		if err != nil || c.among(ips, d) {
			return err == nil, err
		}
	}
	return false, nil
}

func (c *check) exchangers(name string) ([]*net.MX, error) {
	if !isDomain(name) {
		return nil, nil
	}
	hosts, err := c.resolver.LookupMX(c.ctx, name+".")
	return hosts, c.answered(len(hosts), err)
}

// matchesPTR reports whether a validated name of the client is name or below
// it (RFC 7208, 5.5).
func (c *check) matchesPTR(name string) (bool, error) {
	for _, n := range c.validatedNames() {
		if isBelow(n, name) {
			return true, nil
		}
	}
	if len(c.names) == 0 {
		return false, c.countVoid()
	}
	return false, nil
}

func (c *check) exists(name string) (bool, error) {
	ips, err := c.addresses(name, "ip4") // also for IPv6 clients: RFC 7208, 5.7
	if err == nil && len(ips) == 0 {
		err = c.countVoid()
	}
	return len(ips) > 0, err
}

// network is the one whose addresses are compared with the client's.
func (c *check) network() string {
	if c.ip.Is4() {
		return "ip4"
	}
	return "ip6"
}

func (c *check) addresses(name, network string) ([]netip.Addr, error) {
	if !isDomain(name) {
		return nil, nil // RFC 7208, 4.3, by analogy: it cannot exist
	}
	found, err := c.resolver.LookupNetIP(c.ctx, network, name+".")
	if err := c.answered(len(found), err); err != nil {
		return nil, err
	}
	ips := make([]netip.Addr, len(found))
	for i, ip := range found {
		ips[i] = ip.Unmap().WithZone("") // net.Resolver may give IPv4 in IPv6 form
	}
	return ips, nil
}

// validatedNames are the names of the client's address that lead back to it,
// of the first ten (RFC 7208, 5.5). They are asked for once; errors leave names
// out.
func (c *check) validatedNames() []string {
	if c.haveNames {
		return c.names
	}
	c.haveNames = true
	all, _ := c.resolver.LookupAddr(c.ctx, c.ip.String())
	for _, name := range all[:min(len(all), maxHosts)] {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		ips, _ := c.addresses(name, c.network())
		for _, ip := range ips {
			if ip == c.ip {
				c.names = append(c.names, name)
				break
			}
		}
	}
	return c.names
}

// isBelow reports whether name is domain or a name below it.
func isBelow(name, domain string) bool {
	head := len(name) - len(domain)
	return head >= 0 && strings.EqualFold(name[head:], domain) && (head == 0 || name[head-1] == '.')
}
