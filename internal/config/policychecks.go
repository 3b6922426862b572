package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// DNSBL is a list in the DNS of clients whose mail is not wanted.
type DNSBL struct {
	Zone    string
	Origin  mail.Origin
	Weight  Setting[int]            // below zero: it speaks for the client
	Answers Setting[[]netip.Prefix] // that count; none: all in 127.0.0.0/8, but those by which a list refuses
	Reply   Setting[string]         // with %{client} and %{list}; "": that the client is listed there
}

// Greylist has strangers come twice.
type Greylist struct {
	Origin mail.Origin // zero: nobody has to
	Delay  Setting[time.Duration]
	Window Setting[time.Duration] // in which a stranger has to come again
	Keep   Setting[time.Duration] // who is known and stays away is forgotten after it
}

// Rates is how often strangers may come: from an address (IPv6: a /64), and from a network (IPv4 /24,
// IPv6 /48).
type Rates struct {
	Connections, Messages, Recipients                      Setting[Rate]
	NetworkConnections, NetworkMessages, NetworkRecipients Setting[Rate]
}

func defaultGreylist() Greylist {
	return Greylist{Delay: builtIn(time.Minute), Window: builtIn(day), Keep: builtIn(35 * day)}
}

func defaultRates() Rates {
	return Rates{
		Connections: builtIn(Rate{600, time.Minute}), Messages: builtIn(Rate{1200, time.Minute}), Recipients: builtIn(Rate{12_000, time.Minute}),
		NetworkConnections: builtIn(Rate{2400, time.Minute}), NetworkMessages: builtIn(Rate{4800, time.Minute}), NetworkRecipients: builtIn(Rate{48_000, time.Minute}),
	}
}

func (p *Policy) dnsblBlock() block {
	return many("dnsbl", "bl.example.org", &p.DNSBL, (*DNSBL).schema,
		func(d *decoder, label string, at mail.Origin) (DNSBL, bool) {
			zone, err := domain().read(d, textValue(label))
			if err != nil {
				d.add(at, "", "%v", err)
				return DNSBL{}, false
			}
			return DNSBL{Zone: zone, Origin: at, Weight: builtIn(1)}, true
		})
}

func (l *DNSBL) schema() schema {
	return schema{title: fmt.Sprintf("dnsbl %s", literal(l.Zone)), fields: []field{
		one("weight", &l.Weight, number(-100, 100)),
		list("answers", &l.Answers, network()),
		one("reply", &l.Reply, sentence()),
	}}
}

// sentence is a text that fits into a reply: one line, with the words that stand for something.
func sentence() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		if len(s) > 200 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
			return "", fmt.Errorf("a reply is a line of at most 200 plain characters")
		}
		return s, checkTemplate(s, []string{"client", "list"}, false)
	}, itself)
}

func (p *Policy) greylistBlock() block {
	g := &p.Greylist
	return block{
		word: "greylist", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			g.Origin = at
			return g.schema(), true
		},
		all: func() []schema {
			if g.Origin == (mail.Origin{}) {
				return nil
			}
			return []schema{g.schema()}
		},
	}
}

func (g *Greylist) schema() schema {
	return schema{title: "greylist", fields: []field{
		one("delay", &g.Delay, duration(time.Second, time.Hour)),
		one("window", &g.Window, duration(time.Hour, 7*day)),
		one("keep", &g.Keep, duration(day, 400*day)),
	}}
}

func (r *Rates) schema() schema {
	return schema{title: "rates", fields: []field{
		one("connections", &r.Connections, rate()),
		one("messages", &r.Messages, rate()),
		one("recipients", &r.Recipients, rate()),
		one("network_connections", &r.NetworkConnections, rate()),
		one("network_messages", &r.NetworkMessages, rate()),
		one("network_recipients", &r.NetworkRecipients, rate()),
	}}
}

// checkChecks finds checks that mean nothing.
func (d *decoder) checkChecks(p *Policy) {
	if p.DNSBLLimit.Value > 1 && len(p.DNSBL) == 0 {
		d.add(p.DNSBLLimit.Origin, `write dnsbl "ZONE" {}`, "there is no list")
	}
	most := 0
	seen := map[string]bool{}
	for i := range p.DNSBL {
		l := &p.DNSBL[i]
		if seen[l.Zone] {
			d.add(l.Origin, "", "the list %s is there twice", l.Zone)
		}
		if seen[l.Zone] = true; l.Weight.Value == 0 {
			d.add(l.Weight.Origin, "", "a list without weight says nothing")
		}
		most += max(l.Weight.Value, 0)
	}
	if len(p.DNSBL) > 0 && most < p.DNSBLLimit.Value {
		d.add(p.DNSBL[0].Origin, "", "all lists together have a weight of %d, and %d refuses", most, p.DNSBLLimit.Value)
	}
	if g := &p.Greylist; g.Origin != (mail.Origin{}) && g.Delay.Value >= g.Window.Value {
		d.add(g.Delay.Origin, "", "nobody can come again in time: the delay is as long as the window")
	}
}
