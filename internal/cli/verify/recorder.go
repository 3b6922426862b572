package verify

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/senderauth"
)

// question is what was asked of the DNS, and what it said.
type question struct {
	Question string   `json:"question"` // "TXT example.org"
	Answer   []string `json:"answer"`
	Signed   bool     `json:"signed,omitempty"` // by DNSSEC, says the resolver
	Error    string   `json:"error,omitempty"`
}

// recorder writes down what is asked. Its user asks one thing at a time.
type recorder struct {
	inner senderauth.AuthenticResolver
	asked []question
}

// take returns what was asked since it was called last.
func (r *recorder) take() []question {
	all := r.asked
	r.asked = nil
	return all
}

func note[T any](r *recorder, kind, name string, signed bool, all []T, err error) {
	q := question{Question: kind + " " + strings.TrimSuffix(name, "."), Answer: []string{}, Signed: signed}
	for _, one := range all {
		q.Answer = append(q.Answer, fmt.Sprint(one))
	}
	switch {
	case err == nil:
	case senderauth.NotFound(err):
		q.Error = "there is none"
	default:
		q.Error = err.Error()
	}
	r.asked = append(r.asked, q)
}

// LookupTXT implements [senderauth.Resolver].
func (r *recorder) LookupTXT(ctx context.Context, name string) ([]string, error) {
	txt, _, err := r.LookupAuthenticTXT(ctx, name)
	return txt, err
}

// LookupAuthenticTXT implements [senderauth.AuthenticResolver].
func (r *recorder) LookupAuthenticTXT(ctx context.Context, name string) ([]string, bool, error) {
	txt, signed, err := r.inner.LookupAuthenticTXT(ctx, name)
	note(r, "TXT", name, signed, txt, err)
	return txt, signed, err
}

// LookupMX implements [senderauth.Resolver].
func (r *recorder) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	mx, err := r.inner.LookupMX(ctx, name)
	texts := make([]string, len(mx))
	for i, m := range mx {
		texts[i] = fmt.Sprintf("%d %s", m.Pref, m.Host)
	}
	note(r, "MX", name, false, texts, err)
	return mx, err
}

// LookupNetIP implements [senderauth.Resolver].
func (r *recorder) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	addrs, err := r.inner.LookupNetIP(ctx, network, host)
	note(r, map[string]string{"ip4": "A", "ip6": "AAAA"}[network], host, false, addrs, err)
	return addrs, err
}

// LookupAddr implements [senderauth.Resolver].
func (r *recorder) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	names, err := r.inner.LookupAddr(ctx, addr)
	name := addr
	if ip, bad := netip.ParseAddr(addr); bad == nil {
		name = dns.Reverse(ip).String()
	}
	note(r, "PTR", name, false, names, err)
	return names, err
}
