package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Security is how much of it mail to other hosts has, where the configuration does not
// say so for a domain.
type Security struct {
	DANE     Setting[bool]          // signed DNS records of a host are heard (RFC 7672)
	MTASTS   Setting[bool]          // policies of domains are fetched and heard (RFC 8461)
	Remember Setting[time.Duration] // a host that had a good certificate has to have one again, or None
	Patience Setting[time.Duration] // mail waits so long for a certificate that was good before

	ReportFrom    Setting[smtp.Path] // daily reports on TLS (RFC 8460) come from here; null: there are none
	ReportContact Setting[string]    // whom a domain may ask about them; "": ReportFrom
}

// Levels of a TLS block.
const (
	TLSRequire       = "require" // with a certificate that is good
	TLSEncrypt       = "encrypt" // with any certificate
	TLSOpportunistic = "opportunistic"
	TLSNever         = "never"
)

// TLS is how much security mail to a domain has to have, whatever the domain says.
type TLS struct {
	Domain string // "example.org", ".example.org" for what is below it, "*"
	Origin mail.Origin
	Level  Setting[string]   // TLSRequire, TLSEncrypt, TLSOpportunistic or TLSNever
	Names  Setting[[]string] // of which the certificate must bear one: names, or ".example.org"; none: that of the host
	CA     Setting[string]   // file of trusted certificates; "": those of the system
}

func defaultSecurity() Security {
	return Security{DANE: builtIn(true), MTASTS: builtIn(true), Remember: builtIn(30 * day), Patience: builtIn(day)}
}

func (s *Security) schema() schema {
	return schema{title: "security", fields: []field{
		one("dane", &s.DANE, yesNo()),
		one("mta_sts", &s.MTASTS, yesNo()),
		one("remember", &s.Remember, orNone(duration(time.Hour, 3650*day))),
		one("patience", &s.Patience, duration(time.Minute, 30*day)),
		one("report_from", &s.ReportFrom, mailbox()),
		one("report_contact", &s.ReportContact, text()),
	}}
}

func (c *Config) tlsBlock() block {
	domains := domainPattern()
	return many("tls", "example.org", &c.TLS, (*TLS).schema,
		func(d *decoder, label string, at mail.Origin) (TLS, bool) {
			name, err := domains.read(d, textValue(label))
			if err != nil {
				d.add(at, "", "%v", err)
				return TLS{}, false
			}
			return TLS{Domain: name, Origin: at, Level: builtIn(TLSRequire)}, true
		})
}

func (t *TLS) schema() schema {
	return schema{title: fmt.Sprintf("tls %s", literal(t.Domain)), fields: []field{
		one("level", &t.Level, choice(TLSRequire, TLSEncrypt, TLSOpportunistic, TLSNever)),
		list("names", &t.Names, domainPattern()),
		one("ca", &t.CA, file()),
	}}
}

// domainPattern is a domain, what is below one, or "*".
func domainPattern() kind[string] {
	return textual(func(d *decoder, s string) (string, error) {
		if s == "*" {
			return s, nil
		}
		name, err := domain().read(d, textValue(strings.TrimPrefix(s, ".")))
		if err != nil {
			return "", errors.New(`write a domain, ".example.org" for all that is below one, or "*": ` + err.Error())
		}
		if s[0] == '.' {
			name = "." + name
		}
		return name, nil
	}, itself)
}

// checkTLS finds blocks that no mail can reach, and settings that mean nothing.
func (d *decoder) checkTLS(c *Config) {
	for i := range c.TLS {
		t := &c.TLS[i]
		for _, before := range c.TLS[:i] {
			if coversDomain(before.Domain, t.Domain) {
				d.add(t.Origin, "the first that fits decides", "tls %q is never used: line %d has all of its mail", t.Domain, before.Origin.Line)
				break
			}
		}
		for _, o := range []named{
			{"names", t.Names.Origin, t.Names.Given()},
			{"ca", t.CA.Origin, t.CA.Given()},
		} {
			if o.set && t.Level.Value != TLSRequire {
				d.add(o.origin, "", "%s is of no use if the level is %q", o.word, t.Level.Value)
			}
		}
		if slices.Contains(t.Names.Value, "*") {
			d.add(t.Names.Origin, "", `a certificate with any name is none; write level = "encrypt"`)
		}
	}
	s := &c.Security
	if s.ReportContact.Given() && !s.ReportFrom.Given() {
		d.add(s.ReportContact.Origin, "write report_from", "report_contact is of no use without reports")
	}
	if s.Patience.Given() && s.Remember.Value == None {
		d.add(s.Patience.Origin, "", "patience is of no use if nothing is remembered")
	}
}

// coversDomain reports whether every domain of one pattern is one of another.
func coversDomain(own, other string) bool {
	if own[0] == '.' {
		return strings.HasSuffix(other, own)
	}
	return own == "*" || own == other
}
