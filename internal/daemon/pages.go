package daemon

import (
	"net"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/domainsetup"
	"github.com/posthouse/posthouse/internal/domainweb"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
)

// pageConnections is how many readers of pages there are at a time.
const pageConnections = 512

// pageServers are those that have the pages of our domains.
func (b *builder) pageServers(keys *certificates) []*server {
	h := &b.cfg.HTTPS
	if !h.Used() {
		return nil
	}
	s := &server{
		name: "https", origin: h.Address.Origin,
		answerer: newWebServer(domainweb.Handler(b.sites()), challengeTLS(keys), pageConnections),
	}
	if !h.Address.Given() {
		s.origin = h.Origin
	}
	for i, address := range h.Address.Value {
		at := endpointOf(address)
		if strings.HasSuffix(address, ":0") {
			at.nth = -1 - i // apart from those of the listeners
		}
		s.at = append(s.at, at)
	}
	return []*server{s}
}

// sites are the pages of each domain, alias domains too.
func (b *builder) sites() []domainweb.Site {
	host := b.name(b.cfg.Hostname.Value)
	var all []domainweb.Site
	for i := range b.cfg.Domains {
		d := &b.cfg.Domains[i]
		for _, name := range append([]string{d.Name}, d.Also.Value...) {
			s := domainweb.Site{Domain: b.name(name), Settings: b.settingsFor(host)}
			if d.MTASTS.Value != config.STSNone {
				s.Policy = domainsetup.NewPolicy(mtasts.Mode(d.MTASTS.Value), host).String()
			}
			all = append(all, s)
		}
	}
	return all
}

// settingsFor are where people's programs find their mail; nil: nobody is told.
func (b *builder) settingsFor(host dns.Name) *domainweb.Settings {
	h := &b.cfg.HTTPS
	if !h.Settings() {
		return nil
	}
	s := &domainweb.Settings{SMTP: host, Submissions: b.portOf(config.ListenSubmissions), Submission: b.portOf(config.ListenSubmission)}
	if h.IMAP.Value != "" {
		s.IMAP = b.name(h.IMAP.Value)
	}
	if h.POP3.Value != "" {
		s.POP3 = b.name(h.POP3.Value)
	}
	return s
}

// name is a name that was checked with the configuration.
func (b *builder) name(s string) dns.Name {
	n, _ := dns.ParseName(s)
	return n
}

// portOf is the port of the first listener of a kind; 0: there is none.
func (b *builder) portOf(kind string) int {
	for i := range b.cfg.Listen {
		l := &b.cfg.Listen[i]
		if l.Kind != kind || len(l.Address.Value) == 0 {
			continue
		}
		_, port, _ := net.SplitHostPort(l.Address.Value[0]) // likewise
		n, _ := strconv.Atoi(port)
		return n
	}
	return 0
}
