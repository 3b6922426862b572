// Package dnsbl is the check of lists in the DNS: whether others have found that the address of a
// client sends what nobody wants (RFC 5782).
//
// All lists are asked at once, and each that has the address adds its weight. Who reaches the limit is
// refused, at RCPT. A list that does not answer in time says nothing, and so does an answer outside of
// 127.0.0.0/8, or one of 127.255.255.0/24, by which lists say that they refuse to answer us.
package dnsbl

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
)

// List is one list.
type List struct {
	Zone dns.Name
	// Answers are those that count; none: all but those by which a list refuses.
	Answers []netip.Prefix
	Weight  int // 0: 1; below zero: the list speaks for the client
	// Reply is what the client is told, with %{client} and %{list}; "": that it is listed there.
	Reply  string
	Origin mail.Origin
}

// Options are of a [Check].
type Options struct {
	Resolver dns.Resolver // needed
	Lists    []List
	Limit    int           // the weight that is too much; 0: 1
	Action   policy.Action // what is done then; Pass: Reject
	Origin   mail.Origin   // the setting of that
	Timeout  time.Duration // for all lists; 0: 5 s
}

// Check is a [policy.Check]. Make one with [New].
type Check struct{ o Options }

// New makes a check.
func New(o Options) *Check {
	if o.Limit <= 0 {
		o.Limit = 1
	}
	if o.Action == policy.Pass {
		o.Action = policy.Reject
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	return &Check{o}
}

// Name implements [policy.Check].
func (*Check) Name() string { return "dnsbl" }

// Open implements [policy.Check].
func (c *Check) Open(v *policy.Visit) policy.Session {
	if v.FromHere() {
		return nil
	}
	return &session{o: &c.o}
}

// Explain implements [policy.Explainer].
func (c *Check) Explain() (lines []policy.Line) {
	for i := range c.o.Lists {
		l := &c.o.Lists[i]
		lines = append(lines, policy.Line{
			What:   fmt.Sprintf("who is in the list %s has a weight of %d; with %d: %s", l.Zone, l.weight(), c.o.Limit, c.o.Action),
			Origin: l.Origin,
		})
	}
	return lines
}

// session is the check on one connection. What the lists said is remembered as long as the client is the same.
type session struct {
	policy.Silent
	o     *Options
	asked netip.Addr
	said  policy.Opinion
}

// Mail implements [policy.Session]: by now it is known whom we trust.
func (s *session) Mail(ctx context.Context, v *policy.Visit) policy.Opinion {
	a := v.Source.Client.Addr().Unmap().WithZone("")
	if v.Trusted || a.IsPrivate() || a.IsLinkLocalUnicast() {
		return policy.Opinion{}
	}
	if s.asked != a {
		s.asked, s.said = a, s.ask(ctx, a)
	}
	return s.said
}

// ask asks all lists at once.
func (s *session) ask(ctx context.Context, a netip.Addr) policy.Opinion {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	on := make([]bool, len(s.o.Lists))
	silent := make([]bool, len(s.o.Lists))
	var all sync.WaitGroup
	for i := range s.o.Lists {
		all.Go(func() { on[i], silent[i] = s.o.Lists[i].has(ctx, s.o.Resolver, a) })
	}
	all.Wait()
	return s.weigh(a, on, silent)
}

// weigh makes an opinion of what the lists say.
func (s *session) weigh(a netip.Addr, on, silent []bool) policy.Opinion {
	sum := 0
	var first *List
	var words []string
	for i := range s.o.Lists {
		l := &s.o.Lists[i]
		switch {
		case silent[i]:
			words = append(words, l.Zone.String()+" does not answer")
		case on[i]:
			sum += l.weight()
			words = append(words, fmt.Sprintf("in %s (%d)", l.Zone, l.weight()))
			if first == nil && l.weight() > 0 {
				first = l
			}
		}
	}
	o := policy.Opinion{Reason: strings.Join(words, ", ")}
	if sum >= s.o.Limit && first != nil {
		o.Action, o.Origin = s.o.Action, first.Origin
		o.Reply = smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 1}, "%s", first.reply(a))
	}
	return o
}

func (l *List) weight() int {
	if l.Weight == 0 {
		return 1
	}
	return l.Weight
}

// reply is what a client is told, on one line.
func (l *List) reply(a netip.Addr) string {
	if l.Reply == "" {
		return fmt.Sprintf("Your address %s is in the list %s", a, l.Zone)
	}
	return strings.NewReplacer("%{client}", a.String(), "%{list}", l.Zone.String()).Replace(l.Reply)
}

// refusing are answers by which a list says that it does not answer us.
var refusing = netip.MustParsePrefix("127.255.255.0/24")

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// has reports whether a list has an address, and whether it did not answer.
func (l *List) has(ctx context.Context, r dns.Resolver, a netip.Addr) (on, silent bool) {
	name, err := l.Zone.Below(labels(a))
	if err != nil {
		return false, false
	}
	answer, err := r.A(ctx, name)
	if err != nil {
		return false, !dns.Final(err)
	}
	for _, is := range answer.Records {
		switch {
		case !loopback.Contains(is):
		case refusing.Contains(is):
			silent = true
		case len(l.Answers) == 0 || slices.ContainsFunc(l.Answers, func(p netip.Prefix) bool { return p.Contains(is) }):
			on = true
		}
	}
	return on, silent && !on
}

// labels is an address as lists have it: its octets, or its nibbles, from behind (RFC 5782, 2.1, 2.4).
func labels(a netip.Addr) string {
	name := dns.Reverse(a).String()
	return strings.TrimSuffix(strings.TrimSuffix(name, ".in-addr.arpa"), ".ip6.arpa")
}
