package config

import (
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Words for what is done about mail, and how far policy goes at most.
const (
	PolicyOff        = "off"        // nothing is asked
	PolicyMark       = "mark"       // the message tells what was found
	PolicyQuarantine = "quarantine" // it is junk
	PolicyReject     = "reject"
	PolicyDefer      = "defer"
	PolicyHonour     = "honour" // what the author's domain wants
)

// Policy is what is asked of mail that strangers bring, without the block, too: a listener of which
// the policy is [PolicyOff] asks nothing.
type Policy struct {
	Origin mail.Origin // of the block; zero: there is none

	SPF        Setting[string]    // PolicyMark or PolicyOff
	Received   Setting[bool]      // a Received-SPF field tells of SPF, too (RFC 7208, 9.1)
	DKIM       Setting[string]    // likewise
	ARC        Setting[string]    // likewise
	IPRev      Setting[string]    // likewise
	DMARC      Setting[string]    // PolicyHonour, PolicyQuarantine, PolicyMark or PolicyOff
	ARCTrusted Setting[[]string]  // sealers whose word counts where DMARC fails: domains, or ".example.org" for all below one
	DNSFailure Setting[string]    // PolicyDefer or PolicyMark: while DMARC cannot be decided
	ReportFrom Setting[smtp.Path] // daily reports on DMARC (RFC 9990) come from here; null: there are none

	DNSBL      []DNSBL
	DNSBLLimit Setting[int]    // the sum of weights that is too much
	DNSBLTo    Setting[string] // PolicyReject, PolicyQuarantine or PolicyMark: what is done then
	Greylist   Greylist
	Rates      Rates
	Milters    []Milter // in the order in which they hear of mail
}

func defaultPolicy() Policy {
	return Policy{
		SPF: builtIn(PolicyMark), DKIM: builtIn(PolicyMark), ARC: builtIn(PolicyMark), IPRev: builtIn(PolicyMark),
		DMARC: builtIn(PolicyHonour), DNSFailure: builtIn(PolicyDefer),
		DNSBLLimit: builtIn(1), DNSBLTo: builtIn(PolicyReject),
		Greylist: defaultGreylist(), Rates: defaultRates(),
	}
}

func (c *Config) policyBlock() block {
	return block{
		word: "policy", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			c.Policy.Origin = at
			return c.Policy.schema(), true
		},
		all: func() []schema { return []schema{c.Policy.schema()} },
	}
}

func (p *Policy) schema() schema {
	look := choice(PolicyMark, PolicyOff)
	return schema{title: "policy", fields: []field{
		one("spf", &p.SPF, look),
		one("received_spf", &p.Received, yesNo()),
		one("dkim", &p.DKIM, look),
		one("arc", &p.ARC, look),
		one("iprev", &p.IPRev, look),
		one("dmarc", &p.DMARC, choice(PolicyHonour, PolicyQuarantine, PolicyMark, PolicyOff)),
		list("arc_trusted", &p.ARCTrusted, domainPattern()),
		one("dns_failure", &p.DNSFailure, choice(PolicyDefer, PolicyMark)),
		one("report_from", &p.ReportFrom, mailbox()),
		one("dnsbl_limit", &p.DNSBLLimit, number(1, 1000)),
		one("dnsbl_action", &p.DNSBLTo, choice(PolicyReject, PolicyQuarantine, PolicyMark)),
	}, blocks: []block{
		p.dnsblBlock(),
		p.greylistBlock(),
		p.milterBlock(),
		single("rates", p.Rates.schema),
	}}
}

// checkPolicy finds settings that mean nothing, or that would refuse what is in order.
func (d *decoder) checkPolicy(c *Config) {
	p := &c.Policy
	for _, o := range []named{
		{"spf", p.SPF.Origin, p.SPF.Value == PolicyOff},
		{"dkim", p.DKIM.Origin, p.DKIM.Value == PolicyOff},
	} {
		if o.set && p.DMARC.Value != PolicyOff {
			d.add(o.origin, `write dmarc = "off" too`, "DMARC needs %s: without it, mail that is in order would fail", o.word)
		}
	}
	if p.Received.Value && p.SPF.Value == PolicyOff {
		d.add(p.Received.Origin, "", "received_spf is of no use if SPF is off")
	}
	if p.ReportFrom.Given() && p.DMARC.Value == PolicyOff && !p.ReportFrom.Value.IsNull() {
		d.add(p.ReportFrom.Origin, "", "report_from is of no use if DMARC is off")
	}
	d.checkChecks(p)
	if p.ARCTrusted.Given() && p.ARC.Value == PolicyOff {
		d.add(p.ARCTrusted.Origin, "", "arc_trusted is of no use if seals are not looked at")
	}
	d.checkMilters(c)
	for _, name := range p.ARCTrusted.Value {
		if name == "*" {
			d.add(p.ARCTrusted.Origin, "name those whom you trust", "whoever is trusted can make any message pass")
		}
	}
}

// Judges reports whether a listener asks anything of mail that strangers bring.
func (c *Config) Judges() bool {
	return slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.Policy.Value != PolicyOff })
}
