// Package publicweb speaks HTTPS with web servers whose names strangers choose: those of
// MTA-STS policies, and those that want reports.
//
// Nobody can use it to reach what is not public. The connection goes to port 443 of an
// address that is public, and to no other; to the address that was looked at, which is not looked
// up again; through no proxy; with a certificate that is good for the name. Redirections are not
// followed, and size and time are bounded.
package publicweb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
)

// Client makes requests. It keeps no connection.
type Client struct {
	Resolver dns.Resolver
	// Dial makes a connection by TCP; nil is that of [net.Dialer]. It is given addresses
	// that are public, and port 443.
	Dial func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	// Roots vouch for certificates; nil: those of the system.
	Roots *x509.CertPool
	// Timeout bounds all of a request; 0: 20 seconds.
	Timeout time.Duration
}

// Bounds of a request.
const (
	maxHeader   = 16 << 10
	maxAttempts = 4 // addresses
)

// Do sends a request and calls read with the answer, whatever its status is; its Body is
// closed then. Errors are those of read, of the DNS and of the connection, without the address of the page.
func (c *Client) Do(ctx context.Context, q *http.Request, read func(*http.Response) error) error {
	limit := c.Timeout
	if limit <= 0 {
		limit = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if q.URL.Scheme != "https" || q.URL.Port() != "" && q.URL.Port() != "443" {
		return errors.New("only https on port 443 is spoken with strangers")
	}
	host, err := dns.ParseName(q.URL.Hostname())
	if err != nil {
		return err
	}
	addrs, err := c.addresses(ctx, host)
	if err != nil {
		return err
	}
	way := &http.Transport{
		// The address was looked at, and is not looked up again.
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx, addrs) },
		TLSClientConfig:        &tls.Config{ServerName: host.String(), RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		DisableCompression:     true, // so that a bound on octets is one
		MaxResponseHeaderBytes: maxHeader,
	}
	defer way.CloseIdleConnections()
	client := &http.Client{
		Transport:     way,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	q.Header.Set("User-Agent", "posthouse")
	r, err := client.Do(q.WithContext(ctx))
	var page *url.Error
	if errors.As(err, &page) {
		return page.Err
	}
	if err != nil {
		return err
	}
	defer r.Body.Close()
	return read(r)
}

// Status returns why an answer is none that was hoped for, nil if its status is 2xx.
func Status(r *http.Response) error {
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return fmt.Errorf("the server redirects (%d), which is not followed", r.StatusCode)
	case r.StatusCode < 200 || r.StatusCode > 299:
		return fmt.Errorf("the server answers %d", r.StatusCode)
	}
	return nil
}

// Text reads a body of at most so many octets.
func Text(r *http.Response, most int64) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("it has more than %d octets", most)
	}
	return string(text), err
}

// addresses returns those of a host that are public.
func (c *Client) addresses(ctx context.Context, host dns.Name) ([]netip.Addr, error) {
	v4, err := c.Resolver.A(ctx, host)
	v6, err6 := c.Resolver.AAAA(ctx, host)
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
func (c *Client) dial(ctx context.Context, addrs []netip.Addr) (conn net.Conn, err error) {
	dial := c.Dial
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
