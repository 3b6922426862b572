// Package ratelimit is the check of how often somebody comes: connections, messages and
// recipients, from an address and from the network around it.
//
// Who comes too often is told to come again later, whatever the domains of the recipients want: the
// limits protect the house. Those who have logged in, or come from a relay network, have limits of their
// own elsewhere, and this machine has none. Memory is bounded: when very many come, those who were
// away for longest are forgotten first.
package ratelimit

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
)

// Rate is at most Count in a time of Per, and as many at once. The zero Rate is without limit.
type Rate struct {
	Count  int
	Per    time.Duration
	Origin mail.Origin // the setting
}

// each is how long one takes; 0: no limit.
func (r Rate) each() time.Duration {
	if r.Count <= 0 || r.Per <= 0 {
		return 0
	}
	return max(r.Per/time.Duration(r.Count), 1)
}

// Rates are those of one address, or of one network.
type Rates struct{ Connections, Messages, Recipients Rate }

// Options are of a [Check].
type Options struct {
	Address Rates  // of an IPv4 address or IPv6 /64
	Network Rates  // of an IPv4 /24 or IPv6 /48
	Table   *Table // nil: a new one
}

// Check is a [policy.Check]. Make one with [New].
type Check struct {
	o Options
}

// New makes a check.
func New(o Options) *Check {
	if o.Table == nil {
		o.Table = NewTable(0)
	}
	return &Check{o: o}
}

// Name implements [policy.Check].
func (*Check) Name() string { return "ratelimit" }

// Open implements [policy.Check].
func (c *Check) Open(v *policy.Visit) policy.Session {
	if v.FromHere() {
		return nil
	}
	return session{c: c}
}

// Explain implements [policy.Explainer].
func (c *Check) Explain() (lines []policy.Line) {
	for _, x := range []struct {
		what string
		rate Rate
	}{
		{"connections from an address", c.o.Address.Connections},
		{"messages from an address", c.o.Address.Messages},
		{"recipients from an address", c.o.Address.Recipients},
		{"connections from a network", c.o.Network.Connections},
		{"messages from a network", c.o.Network.Messages},
		{"recipients from a network", c.o.Network.Recipients},
	} {
		if x.rate.each() > 0 {
			lines = append(lines, policy.Line{What: fmt.Sprintf("at most %d %s in %s", x.rate.Count, x.what, x.rate.Per), Origin: x.rate.Origin})
		}
	}
	return lines
}

// session is the check on one connection.
type session struct {
	policy.Silent
	c *Check
}

// kind is what is counted.
type kind uint8

const (
	connections kind = iota
	messages
	recipients
)

var kindNames = [...]string{"connections", "messages", "recipients"}

// of is the rate of a kind.
func (r *Rates) of(k kind) Rate {
	return [...]Rate{r.Connections, r.Messages, r.Recipients}[k]
}

// Connect implements [policy.Session].
func (s session) Connect(_ context.Context, v *policy.Visit) policy.Opinion {
	return s.count(v, connections)
}

// Mail implements [policy.Session].
func (s session) Mail(_ context.Context, v *policy.Visit) policy.Opinion {
	return s.count(v, messages)
}

// Rcpt implements [policy.Session].
func (s session) Rcpt(_ context.Context, v *policy.Visit, _ *smtp.Rcpt) policy.Opinion {
	return s.count(v, recipients)
}

// count counts one, and refuses it if there were too many.
func (s session) count(v *policy.Visit, k kind) policy.Opinion {
	if v.Trusted {
		return policy.Opinion{}
	}
	a := v.Source.Client.Addr().Unmap()
	now := time.Now()
	for _, x := range [...]struct {
		where netip.Prefix
		word  string
		rate  Rate
	}{
		{around(a, 32, 64), "address", s.c.o.Address.of(k)},
		{around(a, 24, 48), "network", s.c.o.Network.of(k)},
	} {
		if !s.c.o.Table.take(key{k, x.where}, x.rate, now) {
			return refusal(k, x.word, x.rate)
		}
	}
	return policy.Opinion{}
}

// around is the network of an address.
func around(a netip.Addr, bits4, bits6 int) netip.Prefix {
	bits := bits4
	if a.Is6() {
		bits = bits6
	}
	p, _ := a.WithZone("").Prefix(bits) // the bits fit
	return p
}

func refusal(k kind, word string, r Rate) policy.Opinion {
	code := smtp.CodeMailboxBusy
	if k == connections {
		code = smtp.CodeUnavailable
	}
	return policy.Opinion{
		Action: policy.Defer, Firm: true, Origin: r.Origin,
		Reply:  smtp.Replyf(code, smtp.EnhancedCode{4, 7, 1}, "Too many %s from your %s, try again later", kindNames[k], word),
		Reason: fmt.Sprintf("more than %d %s from the %s in %s", r.Count, kindNames[k], word, r.Per),
	}
}
