package mtasts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/tlspolicy"
)

// Fetcher gets policies from the web servers of domains.
type Fetcher struct {
	Resolver dns.Resolver
	// Dial makes a connection by TCP; nil is that of [net.Dialer]. It is given addresses
	// that are public, and port 443.
	Dial func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	// Roots vouch for certificates; nil: those of the system.
	Roots *x509.CertPool
	// Timeout bounds all of it; 0: 20 seconds.
	Timeout time.Duration
}

// Bounds of a fetch.
const (
	maxHeader   = 16 << 10
	maxAttempts = 4 // addresses
)

// Fetch returns the policy of a domain. The error is a [*tlspolicy.FailureError] and prints as one line.
func (f *Fetcher) Fetch(ctx context.Context, domain dns.Name) (Policy, error) {
	limit := f.Timeout
	if limit <= 0 {
		limit = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	host, err := domain.Below("mta-sts")
	if err != nil {
		return Policy{}, failed(tlspolicy.STSPolicyFetch, err)
	}
	text, err := f.get(ctx, host)
	if err != nil {
		kind := tlspolicy.STSPolicyFetch
		if tlspolicy.IsVerification(err) {
			kind = tlspolicy.STSWebPKIInvalid
		}
		return Policy{}, failed(kind, fmt.Errorf("policy from %s: %w", host, err))
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return Policy{}, failed(tlspolicy.STSPolicyInvalid, fmt.Errorf("policy from %s: %w", host, err))
	}
	return p, nil
}

func failed(kind tlspolicy.Failure, err error) error {
	return &tlspolicy.FailureError{Failure: kind, Err: err}
}

// get fetches the text (RFC 8461, 3.3).
func (f *Fetcher) get(ctx context.Context, host dns.Name) (string, error) {
	addrs, err := f.addresses(ctx, host)
	if err != nil {
		return "", err
	}
	way := &http.Transport{
		// The address was looked at, and is not looked up again.
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return f.dial(ctx, addrs) },
		TLSClientConfig:        &tls.Config{ServerName: host.String(), RootCAs: f.Roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		DisableCompression:     true, // so that the bound on octets is one
		MaxResponseHeaderBytes: maxHeader,
	}
	defer way.CloseIdleConnections()
	client := &http.Client{
		Transport:     way,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host.String()+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return "", err
	}
	q.Header.Set("User-Agent", "posthouse")
	r, err := client.Do(q)
	if err != nil {
		return "", plain(err)
	}
	defer r.Body.Close()
	return read(r)
}

// plain takes off what is told beside an error: the address of the page.
func plain(err error) error {
	var page *url.Error
	if errors.As(err, &page) {
		return page.Err
	}
	return err
}

func read(r *http.Response) (string, error) {
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return "", fmt.Errorf("the server redirects (%d), which is not followed", r.StatusCode)
	case r.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the server answers %d", r.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "text/plain" {
		return "", fmt.Errorf("it is of type %q, not text/plain", clip(r.Header.Get("Content-Type")))
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxPolicy+1))
	if err == nil && len(text) > maxPolicy {
		err = fmt.Errorf("it has more than %d octets", maxPolicy)
	}
	return string(text), err
}

// addresses returns those of a host that are public.
func (f *Fetcher) addresses(ctx context.Context, host dns.Name) ([]netip.Addr, error) {
	v4, err := f.Resolver.A(ctx, host)
	v6, err6 := f.Resolver.AAAA(ctx, host)
	if err == nil || err6 != nil && !dns.Final(err6) {
		err = err6
	}
	var public []netip.Addr
	left := netip.Addr{}
	for _, a := range append(v4.Records[:len(v4.Records):len(v4.Records)], v6.Records...) {
		if isPublic(a) {
			public = append(public, a.Unmap())
		} else {
			left = a
		}
	}
	switch {
	case len(public) > 0:
		return public[:min(len(public), maxAttempts)], nil
	case left.IsValid():
		return nil, fmt.Errorf("%s has the address %s, which is not public", host, left)
	}
	return nil, err
}

// dial connects to the first address that answers.
func (f *Fetcher) dial(ctx context.Context, addrs []netip.Addr) (conn net.Conn, err error) {
	dial := f.Dial
	if dial == nil {
		dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", to.String())
		}
	}
	for i, a := range addrs {
		limited, cancel := context.WithCancel(ctx)
		if deadline, ok := ctx.Deadline(); ok {
			// Each address has its share of what is left.
			limited, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(addrs)-i))
		}
		conn, err = dial(limited, netip.AddrPortFrom(a, 443))
		cancel()
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}
