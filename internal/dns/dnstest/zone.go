// Package dnstest is for tests: a resolver that answers from a zone which the
// test wrote down, with the faults that it wants.
//
//	example.test      MX    10 mx.example.test
//	mx.example.test   A     192.0.2.1
//	old.test          CNAME example.test
//	_imaps._tcp.test  SRV   0 1 993 imap.example.test
//	_25._tcp.mx.test  TLSA  3 1 1 0123abcd
//	signed.test       AD              answers for this name are authenticated
//	silent.test       MX    !temporary
//	forged.test       A     !bogus
//	nobody.test       MX    !unusable
//	# a comment
//
// A name without a line does not exist; one without a line of the type asked
// for has no such record.
package dnstest

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
)

// Zone is a [dns.Resolver]. It does not change, and may be asked by many.
type Zone struct {
	lines map[dns.Name][]line
}

type line struct{ typ, value string }

var _ dns.ServiceResolver = (*Zone)(nil)

// TTL is that of every answer.
const TTL = 5 * time.Minute

// New reads a zone, and ends the test if it cannot.
func New(t testing.TB, text string) *Zone {
	t.Helper()
	z := &Zone{lines: map[dns.Name][]line{}}
	for l := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(l)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		n, err := dns.ParseName(words[0])
		if err != nil || len(words) < 2 {
			t.Fatalf("zone: %q: %v", l, err)
		}
		z.lines[n] = append(z.lines[n], line{words[1], strings.Join(words[2:], " ")})
	}
	return z
}

// MX implements [dns.Resolver].
func (z *Zone) MX(ctx context.Context, domain dns.Name) (dns.Answer[dns.MX], error) {
	a, err := ask(ctx, z, domain, "MX", func(s string) (dns.MX, error) {
		number, host, _ := strings.Cut(s, " ")
		preference, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return dns.MX{}, err
		}
		n, err := dns.ParseName(host)
		return dns.MX{Preference: uint16(preference), Host: n}, err
	})
	dns.SortMX(a.Records)
	return a, err
}

// A implements [dns.Resolver].
func (z *Zone) A(ctx context.Context, host dns.Name) (dns.Answer[netip.Addr], error) {
	return ask(ctx, z, host, "A", netip.ParseAddr)
}

// AAAA implements [dns.Resolver].
func (z *Zone) AAAA(ctx context.Context, host dns.Name) (dns.Answer[netip.Addr], error) {
	return ask(ctx, z, host, "AAAA", netip.ParseAddr)
}

// TXT implements [dns.Resolver].
func (z *Zone) TXT(ctx context.Context, name dns.Name) (dns.Answer[string], error) {
	return ask(ctx, z, name, "TXT", func(s string) (string, error) { return s, nil })
}

// PTR implements [dns.Resolver].
func (z *Zone) PTR(ctx context.Context, addr netip.Addr) (dns.Answer[dns.Name], error) {
	return ask(ctx, z, dns.Reverse(addr), "PTR", dns.ParseName)
}

// TLSA implements [dns.Resolver].
func (z *Zone) TLSA(ctx context.Context, service dns.Name) (dns.Answer[dns.TLSA], error) {
	return ask(ctx, z, service, "TLSA", func(s string) (r dns.TLSA, err error) {
		_, err = fmt.Sscanf(s, "%d %d %d %x", &r.Usage, &r.Selector, &r.Matching, &r.Data)
		return r, err
	})
}

// SRV implements [dns.ServiceResolver].
func (z *Zone) SRV(ctx context.Context, service dns.Name) (dns.Answer[dns.SRV], error) {
	return ask(ctx, z, service, "SRV", func(s string) (r dns.SRV, err error) {
		var host string
		if _, err = fmt.Sscanf(s, "%d %d %d %s", &r.Priority, &r.Weight, &r.Port, &host); err == nil {
			r.Host, err = dns.ParseName(host)
		}
		return r, err
	})
}

func ask[T any](ctx context.Context, z *Zone, name dns.Name, typ string, parse func(string) (T, error)) (dns.Answer[T], error) {
	a := dns.Answer[T]{Name: name, TTL: TTL}
	if err := ctx.Err(); err != nil {
		return a, context.Cause(ctx)
	}
	fail := func(kind error) (dns.Answer[T], error) {
		a.Authenticated = a.Authenticated && dns.Final(kind) // no answer has no signature
		return a, &dns.Error{Question: typ + " " + name.String(), Server: "zone", Err: kind}
	}
	a.Authenticated = true
	for range 8 {
		a.Authenticated = a.Authenticated && len(z.of(a.Name, "AD")) > 0
		values := z.of(a.Name, typ)
		alias := z.of(a.Name, "CNAME")
		switch {
		case len(z.lines[a.Name]) == 0:
			return fail(dns.ErrNotFound)
		case len(values) > 0:
			err := fault(values[0])
			if err != nil {
				return fail(err)
			}
			for _, v := range values {
				r, err := parse(v)
				if err != nil {
					return fail(fmt.Errorf("%w: %w", dns.ErrUnusable, err))
				}
				a.Records = append(a.Records, r)
			}
			return a, nil
		case len(alias) == 0:
			return fail(dns.ErrNoData)
		}
		next, err := dns.ParseName(alias[0])
		if err != nil {
			return fail(dns.ErrUnusable)
		}
		a.Name = next
	}
	return fail(dns.ErrUnusable)
}

// of returns the values of a type.
func (z *Zone) of(name dns.Name, typ string) []string {
	var values []string
	for _, l := range z.lines[name] {
		if l.typ == typ {
			values = append(values, l.value)
		}
	}
	return values
}

func fault(value string) error {
	switch value {
	case "!temporary":
		return dns.ErrTemporary
	case "!bogus":
		return dns.ErrBogus
	case "!unusable":
		return dns.ErrUnusable
	}
	return nil
}
