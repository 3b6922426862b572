package senderauth

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// Resolver asks the DNS. A [*net.Resolver] is one; a program that receives much
// mail wants one that caches.
//
// Names are given with a final dot, so that no search list applies. They may
// come from strangers and hold any octets; a name that cannot be asked for
// should be answered like one that does not exist. An answer without records
// and a name that does not exist are an error for which [NotFound] is true.
// Every other error is taken for one that may pass (a timeout, SERVFAIL),
// unless it comes with records: then these are used.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	// LookupNetIP is called with the networks "ip4" and "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	// LookupAddr is the reverse lookup of an address in text form.
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// AuthenticResolver is a [Resolver] that can say of a TXT answer that it was
// authenticated with DNSSEC (the AD bit of a resolver that is trusted, or
// a chain that it verified). Optional.
type AuthenticResolver interface {
	Resolver
	LookupAuthenticTXT(ctx context.Context, name string) (txt []string, authentic bool, err error)
}

var _ Resolver = (*net.Resolver)(nil)

// LookupTXT asks r for the TXT records of name, and whether the answer was
// authenticated, which is false if r cannot tell.
func LookupTXT(ctx context.Context, r Resolver, name string) (txt []string, authentic bool, err error) {
	if a, ok := r.(AuthenticResolver); ok {
		return a.LookupAuthenticTXT(ctx, name)
	}
	txt, err = r.LookupTXT(ctx, name)
	return txt, false, err
}

// NotFound reports whether err says that there are no such records: that the
// name does not exist, or has none of the type that was asked for.
func NotFound(err error) bool {
	var dnsError *net.DNSError
	return errors.As(err, &dnsError) && dnsError.IsNotFound
}
