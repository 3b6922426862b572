package daemon

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/senderauth"
)

// questions lets the standards of sender authentication ask the resolver of the house. A
// name that no host or policy can have is answered like one that does not exist.
type questions struct{ dns.Resolver }

var _ senderauth.AuthenticResolver = questions{}

// ask puts a question, and turns what is final into what senderauth.NotFound knows. Records
// that cannot be used are none.
func ask[T any](name string, question func(dns.Name) (dns.Answer[T], error)) (dns.Answer[T], error) {
	n, err := dns.ParseName(name)
	if err != nil {
		return dns.Answer[T]{}, &net.DNSError{Err: err.Error(), Name: name, IsNotFound: true}
	}
	a, err := question(n)
	return a, missing(name, err)
}

func missing(name string, err error) error {
	if err != nil && dns.Final(err) {
		return &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: name, IsNotFound: true}
	}
	return err
}

// LookupAuthenticTXT implements [senderauth.AuthenticResolver].
func (q questions) LookupAuthenticTXT(ctx context.Context, name string) ([]string, bool, error) {
	a, err := ask(name, func(n dns.Name) (dns.Answer[string], error) { return q.TXT(ctx, n) })
	return a.Records, a.Authenticated, err
}

// LookupTXT implements [senderauth.Resolver].
func (q questions) LookupTXT(ctx context.Context, name string) ([]string, error) {
	txt, _, err := q.LookupAuthenticTXT(ctx, name)
	return txt, err
}

// LookupMX implements [senderauth.Resolver].
func (q questions) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	a, err := ask(name, func(n dns.Name) (dns.Answer[dns.MX], error) { return q.MX(ctx, n) })
	all := make([]*net.MX, 0, len(a.Records))
	for _, mx := range a.Records {
		if !mx.Host.IsRoot() {
			all = append(all, &net.MX{Host: mx.Host.String() + ".", Pref: mx.Preference})
		}
	}
	return all, err
}

// LookupNetIP implements [senderauth.Resolver].
func (q questions) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	question := q.A
	if network == "ip6" {
		question = q.AAAA
	}
	a, err := ask(host, func(n dns.Name) (dns.Answer[netip.Addr], error) { return question(ctx, n) })
	return a.Records, err
}

// LookupAddr implements [senderauth.Resolver].
func (q questions) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{UnwrapErr: errors.Unwrap(err), Err: err.Error(), Name: addr, IsNotFound: true}
	}
	a, err := q.PTR(ctx, ip)
	names := make([]string, len(a.Records))
	for i, n := range a.Records {
		names[i] = n.String() + "."
	}
	return names, missing(addr, err)
}
