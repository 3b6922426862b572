package spf

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxExplanation = 512

// explain fetches the explanation of a domain (RFC 7208, 6.2). Whatever is wrong
// with it, there is none.
func (c *check) explain(out outcome) string {
	name, err := c.target(out.domain, out.exp)
	if err != nil || !isDomain(name) {
		return ""
	}
	texts, err := c.resolver.LookupTXT(c.ctx, name+".")
	if err != nil || len(texts) != 1 || len(texts[0]) > maxRecord {
		return ""
	}
	m, err := parseMacros(texts[0], true)
	if err != nil {
		return ""
	}
	text, err := m.expand(func(letter byte) string { return c.macro(out.domain, letter) })
	if err != nil || !isPrintable(text) {
		return ""
	}
	return text[:min(len(text), maxExplanation)]
}

// isPrintable guards against what macros brought in from the client.
func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// macro returns what a macro letter stands for (RFC 7208, 7.2).
func (c *check) macro(domain string, letter byte) string {
	switch letter {
	case 's':
		return c.local + "@" + c.sender
	case 'l':
		return c.local
	case 'o':
		return c.sender
	case 'd':
		return domain
	case 'i':
		return dotted(c.ip)
	case 'p':
		return c.clientName(domain)
	case 'h':
		return c.helo
	case 'v':
		if c.ip.Is4() {
			return "in-addr"
		}
		return "ip6"
	case 'c':
		return c.ip.String()
	case 'r':
		return withUnknown(c.options.Receiver)
	}
	return strconv.FormatInt(time.Now().Unix(), 10) // 't'
}

func withUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// clientName is the validated name of the client to show: the domain itself,
// else one below it, else any (RFC 7208, 7.3).
func (c *check) clientName(domain string) string {
	names := c.validatedNames()
	if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, domain) }) {
		return domain
	}
	for _, n := range names {
		if isBelow(n, domain) {
			return n
		}
	}
	if len(names) > 0 {
		return names[0]
	}
	return "unknown"
}

// dotted prints an address with a dot between its parts, which are single
// hexadecimal digits in IPv6.
func dotted(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String()
	}
	b := make([]byte, 0, 64)
	for _, octet := range ip.As16() {
		b = fmt.Appendf(b, "%X.%X.", octet>>4, octet&15)
	}
	return string(b[:len(b)-1])
}
