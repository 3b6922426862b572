package spf

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/senderauth"
)

// maxRecord bounds a record, in octets. RFC 7208, 3.4 advises 450; the largest
// that are published have some thousands.
const maxRecord = 16 << 10

// record is a parsed policy (RFC 7208, 4.6.1).
type record struct {
	directives []directive
	redirect   macroString // nil: none
	exp        macroString // nil: none
}

// directive is a mechanism with its qualifier.
type directive struct {
	text   string // as published
	match  senderauth.Verdict
	kind   string      // "all", "include", "a", ...
	domain macroString // nil: the current domain
	prefix netip.Prefix
	bits4  int // of a and mx
	bits6  int
}

// isRecord reports whether a TXT record is an SPF record (RFC 7208, 4.5).
func isRecord(txt string) bool {
	const version = "v=spf1"
	return len(txt) >= len(version) && strings.EqualFold(txt[:len(version)], version) &&
		(len(txt) == len(version) || txt[len(version)] == ' ')
}

// parseRecord reads a record for which isRecord is true. Errors anywhere in it
// are found, also behind what would match (RFC 7208, 4.6).
func parseRecord(txt string) (*record, error) {
	if len(txt) > maxRecord {
		return nil, fmt.Errorf("the record has more than %d octets", maxRecord)
	}
	rec := &record{}
	for term := range strings.SplitSeq(txt[len("v=spf1"):], " ") {
		if term == "" {
			continue
		}
		if err := rec.add(term); err != nil {
			return nil, fmt.Errorf("term %.80q: %w", term, err)
		}
	}
	return rec, nil
}

func (rec *record) add(term string) error {
	name, rest := cutName(term)
	if value, ok := strings.CutPrefix(rest, "="); ok && name != "" && isAlpha(name[0]) {
		return rec.addModifier(strings.ToLower(name), value)
	}
	d, err := parseDirective(term)
	if err == nil {
		rec.directives = append(rec.directives, d)
	}
	return err
}

func (rec *record) addModifier(name, value string) error {
	switch name {
	case "redirect":
		return setOnce(&rec.redirect, value)
	case "exp":
		return setOnce(&rec.exp, value)
	}
	_, err := parseMacros(value, false) // RFC 7208, 6: unknown ones are ignored, but have a syntax
	return err
}

// setOnce sets a modifier that may stand only once (RFC 7208, 6).
func setOnce(at *macroString, value string) (err error) {
	if *at != nil {
		return errors.New("stands more than once")
	}
	*at, err = parseDomainSpec(value)
	return err
}

func parseDirective(term string) (directive, error) {
	d := directive{text: term, match: senderauth.Pass, bits4: 32, bits6: 128}
	if verdict, ok := qualifiers[term[0]]; ok {
		d.match, term = verdict, term[1:]
	}
	name, rest := cutName(term)
	d.kind = strings.ToLower(name)
	return d, d.parseArgument(rest)
}

var qualifiers = map[byte]senderauth.Verdict{
	'+': senderauth.Pass, '-': senderauth.Fail, '~': senderauth.SoftFail, '?': senderauth.Neutral,
}

func (d *directive) parseArgument(s string) (err error) {
	switch d.kind {
	case "all":
		if s != "" {
			return errors.New("all takes no argument")
		}
	case "include", "exists":
		if s == "" {
			return errors.New("needs a domain")
		}
		return d.parseDomain(s)
	case "ptr":
		return d.parseDomain(s)
	case "a", "mx":
		if s, err = d.cutDualCIDR(s); err == nil {
			err = d.parseDomain(s)
		}
		return err
	case "ip4":
		d.prefix, err = parseNetwork(s, netip.Addr.Is4, 32)
		return err
	case "ip6":
		d.prefix, err = parseNetwork(s, netip.Addr.Is6, 128)
		return err
	default:
		return errors.New("no such mechanism")
	}
	return nil
}

// parseDomain reads [ ":" domain-spec ].
func (d *directive) parseDomain(s string) (err error) {
	if s == "" {
		return nil
	}
	spec, ok := strings.CutPrefix(s, ":")
	if !ok {
		return errors.New("expected a colon and a domain")
	}
	d.domain, err = parseDomainSpec(spec)
	return err
}

// cutDualCIDR takes [ "/" ip4 ] [ "//" ip6 ] off the end. A slash may stand in
// the domain before it, too.
func (d *directive) cutDualCIDR(s string) (rest string, err error) {
	if before, bits, ok := cutDigits(s); ok && strings.HasSuffix(before, "//") {
		if d.bits6, err = parseBits(bits, 128); err != nil {
			return "", err
		}
		s = strings.TrimSuffix(before, "//")
	}
	if before, bits, ok := cutDigits(s); ok && strings.HasSuffix(before, "/") {
		if d.bits4, err = parseBits(bits, 32); err != nil {
			return "", err
		}
		s = strings.TrimSuffix(before, "/")
	}
	return s, nil
}

func cutDigits(s string) (before, digits string, ok bool) {
	before = strings.TrimRight(s, "0123456789")
	return before, s[len(before):], len(before) < len(s)
}

func parseBits(s string, limit int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n > limit || len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("/%.10s is no prefix length up to %d", s, limit)
	}
	return n, nil
}

// parseNetwork reads ":" address [ "/" bits ] (RFC 7208, 5.6).
func parseNetwork(s string, family func(netip.Addr) bool, bits int) (netip.Prefix, error) {
	s, ok := strings.CutPrefix(s, ":")
	if !ok {
		return netip.Prefix{}, errors.New("needs an address")
	}
	addr, length, masked := strings.Cut(s, "/")
	ip, err := netip.ParseAddr(addr)
	if err != nil || !family(ip) || ip.Zone() != "" {
		return netip.Prefix{}, errors.New("the address makes no sense")
	}
	if masked {
		if bits, err = parseBits(length, bits); err != nil {
			return netip.Prefix{}, err
		}
	}
	return netip.PrefixFrom(ip, bits), nil
}

// cutName cuts off what can be the name of a mechanism or modifier.
func cutName(s string) (name, rest string) {
	i := 0
	for i < len(s) && (isAlpha(s[i]) || isDigit(s[i]) || s[i] == '-' || s[i] == '_' || s[i] == '.') {
		i++
	}
	return s[:i], s[i:]
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
