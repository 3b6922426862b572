package config

import (
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
)

// HTTPS is where others find the pages of our domains: MTA-STS policies, and the settings
// for people's programs.
type HTTPS struct {
	Origin  mail.Origin // zero: nowhere
	Address Setting[[]string]
	IMAP    Setting[string] // host where people read their mail, at port 993; "": none
	POP3    Setting[string] // host where they fetch it, at port 995; "": none
}

// Modes of the MTA-STS policy of a domain (RFC 8461, 5).
const (
	STSNone    = "none"
	STSTesting = "testing"
	STSEnforce = "enforce"
)

// Used reports whether there are pages.
func (h *HTTPS) Used() bool { return h.Origin != (mail.Origin{}) }

// Settings reports whether people's programs are told where mail is read.
func (h *HTTPS) Settings() bool { return h.Used() && (h.IMAP.Value != "" || h.POP3.Value != "") }

func (c *Config) httpsBlock() block {
	return block{
		word: "https", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			c.HTTPS.Origin = at
			return c.HTTPS.schema(), true
		},
		all: func() []schema {
			if !c.HTTPS.Used() {
				return nil
			}
			return []schema{c.HTTPS.schema()}
		},
	}
}

func (h *HTTPS) schema() schema {
	return schema{title: "https", fields: []field{
		list("address", &h.Address, endpoint(here, false)),
		one("imap", &h.IMAP, domain()),
		one("pop3", &h.POP3, domain()),
	}}
}

// checkHTTPS finds pages that nobody needs, and settings of them without a place; and
// fills in what depends on other settings.
func (d *decoder) checkHTTPS(c *Config, all map[string][]taken) {
	h := &c.HTTPS
	if !h.Used() {
		for i := range c.Domains {
			if m := &c.Domains[i]; m.MTASTS.Given() {
				d.add(m.MTASTS.Origin, "write https {}", "mta_sts is of no use, since nobody serves the policy")
			}
		}
		return
	}
	at := h.Address.Origin
	if !h.Address.Given() {
		at = h.Origin
	}
	for i := range c.Domains {
		c.Domains[i].MTASTS = c.Domains[i].MTASTS.or(STSTesting)
	}
	for _, address := range h.Address.Value {
		d.claimPlace(at, address, all)
	}
	if len(c.Domains) == 0 {
		d.add(h.Origin, `write domain "example.org" { ... }`, "there are no pages, since there is no domain")
	}
	if h.Settings() && !slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.Submits() }) {
		at := h.IMAP.Origin
		if !h.IMAP.Given() {
			at = h.POP3.Origin
		}
		d.add(at, `write listen "submissions" {}`, "people's programs need a listener to which they send, too")
	}
}

// webNames are the host names under which others ask for pages.
func (c *Config) webNames() []string {
	var names []string
	for i := range c.Domains {
		m := &c.Domains[i]
		for _, domain := range append([]string{m.Name}, m.Also.Value...) {
			if c.HTTPS.Used() && m.MTASTS.Value != STSNone {
				names = append(names, "mta-sts."+domain)
			}
			if c.HTTPS.Settings() {
				names = append(names, "autoconfig."+domain, "autodiscover."+domain)
			}
		}
	}
	return names
}
