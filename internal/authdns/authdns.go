// Package authdns lets the standards of sender authentication ask the DNS as the rest
// of the house does: a [dns.Resolver] as a [senderauth.Resolver], with its cache, its
// bounds and its word on DNSSEC.
package authdns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/senderauth"
)

// Resolver is a [senderauth.Resolver] and a [senderauth.AuthenticResolver].
type Resolver struct{ DNS dns.Resolver }

var _ senderauth.AuthenticResolver = Resolver{}

// LookupTXT implements [senderauth.Resolver].
func (r Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	txt, _, err := r.LookupAuthenticTXT(ctx, name)
	return txt, err
}

// LookupAuthenticTXT implements [senderauth.AuthenticResolver].
func (r Resolver) LookupAuthenticTXT(ctx context.Context, name string) ([]string, bool, error) {
	n, err := parse(name)
	if err != nil {
		return nil, false, err
	}
	a, err := r.DNS.TXT(ctx, n)
	return a.Records, a.Authenticated, told(name, err)
}

// LookupMX implements [senderauth.Resolver].
func (r Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	n, err := parse(name)
	if err != nil {
		return nil, err
	}
	a, err := r.DNS.MX(ctx, n)
	all := make([]*net.MX, len(a.Records))
	for i, mx := range a.Records {
		all[i] = &net.MX{Host: absolute(mx.Host), Pref: mx.Preference}
	}
	return all, told(name, err)
}

// LookupNetIP implements [senderauth.Resolver].
func (r Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	n, err := parse(host)
	if err != nil {
		return nil, err
	}
	ask := r.DNS.A
	switch network {
	case "ip4":
	case "ip6":
		ask = r.DNS.AAAA
	default:
		return nil, fmt.Errorf("addresses of the network %q: need ip4 or ip6", network)
	}
	a, err := ask(ctx, n)
	return a.Records, told(host, err)
}

// LookupAddr implements [senderauth.Resolver].
func (r Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, err
	}
	a, err := r.DNS.PTR(ctx, ip)
	all := make([]string, len(a.Records))
	for i, n := range a.Records {
		all[i] = absolute(n)
	}
	return all, told(addr, err)
}

// parse makes of what cannot be asked for a name that does not exist.
func parse(name string) (dns.Name, error) {
	n, err := dns.ParseName(name)
	if err != nil {
		return n, &net.DNSError{Err: err.Error(), Name: name, IsNotFound: true}
	}
	return n, nil
}

func absolute(n dns.Name) string {
	if n.IsRoot() {
		return "."
	}
	return n.String() + "."
}

// told is an error in the words of package net. Records that make no sense are none:
// asking again would not help.
func told(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &net.DNSError{Err: err.Error(), Name: name, IsNotFound: dns.Final(err), IsTemporary: !dns.Final(err), UnwrapErr: err}
}
