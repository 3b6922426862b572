package sender

import (
	"context"
	"net/netip"
	"strings"

	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/spf"
)

// Mail implements [policy.Session].
func (s *session) Mail(ctx context.Context, v *policy.Visit) (o policy.Opinion) {
	if v.Trusted {
		return o
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	if s.o.IPRev {
		o.Results = append(o.Results, s.reverse(ctx, v.Source.Client.Addr().Unmap()))
	}
	if s.o.SPF {
		o.Results = append(o.Results, s.permitted(ctx, v)...)
	}
	return o
}

// permitted asks for the sender, and for HELO where that could be a domain (RFC 7208, 2.3, 2.4).
func (s *session) permitted(ctx context.Context, v *policy.Visit) []senderauth.MethodResult {
	q := spf.Query{IP: v.Source.Client.Addr(), Helo: v.Source.Hello, MailFrom: v.From.String()}
	o := spf.Options{Receiver: s.o.Hostname, NoExplanation: true}
	var found []senderauth.MethodResult
	if !v.From.IsNull() && strings.Contains(q.Helo, ".") && !strings.HasPrefix(q.Helo, "[") {
		r := spf.Check(ctx, s.o.Resolver, spf.Query{IP: q.IP, Helo: q.Helo}, o)
		found = append(found, spfWords(&r, ""))
	}
	s.spf = spf.Check(ctx, s.o.Resolver, q, o)
	if s.o.ReceivedSPF {
		s.received = spf.Received(q, s.spf, s.o.Hostname)
	}
	return append(found, spfWords(&s.spf, q.MailFrom))
}

// spfWords are a result in the words of Authentication-Results (RFC 8601, 2.7.2).
func spfWords(r *spf.Result, from string) senderauth.MethodResult {
	p := senderauth.Property{Type: "smtp", Name: "mailfrom", Value: from}
	if r.FromHelo {
		p.Name, p.Value = "helo", r.Domain
	}
	m := senderauth.MethodResult{Method: "spf", Verdict: r.Verdict, Reason: r.Mechanism, Properties: []senderauth.Property{p}}
	if r.Err != nil {
		m.Reason = reason(r.Verdict, r.Err)
	}
	return m
}

// iprev is what was found of the name of a client, which does not change as long as he is the same.
type iprev struct {
	client netip.Addr
	found  senderauth.MethodResult
}

// reverse asks whether the client has a name that leads back to it (RFC 8601, 3).
func (s *session) reverse(ctx context.Context, client netip.Addr) senderauth.MethodResult {
	if s.ip.client != client || s.ip.found.Verdict == senderauth.TempError {
		s.ip = iprev{client, reverse(ctx, s.o.Resolver, client)}
	}
	return s.ip.found
}

// maxNames is how many names of a client are followed (RFC 8601, 3 leaves the number to us).
const maxNames = 5

func reverse(ctx context.Context, r senderauth.Resolver, client netip.Addr) senderauth.MethodResult {
	m := senderauth.MethodResult{
		Method: "iprev", Verdict: senderauth.Fail,
		Properties: []senderauth.Property{{Type: "policy", Name: "iprev", Value: client.String()}},
	}
	names, err := r.LookupAddr(ctx, client.String())
	if err != nil && len(names) == 0 {
		if m.Reason = "the address has no name"; !senderauth.NotFound(err) {
			m.Verdict, m.Reason = senderauth.TempError, silent
		}
		return m
	}
	network := "ip4"
	if client.Is6() {
		network = "ip6"
	}
	for _, name := range names[:min(len(names), maxNames)] {
		addrs, err := r.LookupNetIP(ctx, network, name)
		for _, a := range addrs {
			if a.Unmap() == client {
				m.Verdict, m.Reason = senderauth.Pass, strings.TrimSuffix(name, ".")
				return m
			}
		}
		if err != nil && !senderauth.NotFound(err) {
			m.Verdict, m.Reason = senderauth.TempError, silent
		}
	}
	if m.Verdict == senderauth.Fail {
		m.Reason = "no name of the address leads back to it"
	}
	return m
}
