package config

import (
	"net"
	"net/netip"
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
)

// check finds what only shows when settings are seen together, and adds the
// built-in routes.
func (d *decoder) check(c *Config) {
	if !c.Hostname.Given() {
		d.add(mail.Origin{File: d.file, Line: 1, Column: 1}, `write hostname = "mx.example.org"`, "the hostname is missing")
	}
	d.checkSchedule(&c.Schedule)
	d.checkSecret("seal_key", &c.SealKey)
	d.checkLimits(&c.Limits)
	for _, x := range c.Certificates {
		if !x.Chain.Given() || !x.Key.Given() {
			d.add(x.Origin, "", "a certificate has a chain and a key")
		}
		d.checkSecret("key", &x.Key)
	}
	d.checkListeners(c)
	d.checkRelay(c)
	d.checkUsers(c)
	d.checkDomains(c)
	d.checkRoutes(c)
	d.checkTLS(c)
	d.checkPolicy(c)
	d.checkForwarding(c)
	d.checkSpool(&c.Spool)
	d.checkConsole(c)
	d.checkInbox(c)
}

func (d *decoder) checkSchedule(s *Schedule) {
	switch {
	case len(s.Retry.Value) == 0: // none of them could be read
	case len(s.Retry.Value) > 100:
		d.add(s.Retry.Origin, "the last one is for all that follow", "there are more than 100 delays")
	case s.Expire.Value <= s.Retry.Value[0].Min:
		at := s.Expire.Origin
		if !s.Expire.Given() {
			at = s.Retry.Origin
		}
		d.add(at, "", "mail is given up after %s, before it is tried a second time (%s)",
			formatDuration(s.Expire.Value), formatDuration(s.Retry.Value[0].Min))
	case s.Warn.Given() && s.Warn.Value >= s.Expire.Value:
		d.add(s.Warn.Origin, `"none" is for no warning`, "nobody is warned after %s, since mail is given up after %s",
			formatDuration(s.Warn.Value), formatDuration(s.Expire.Value))
	}
}

func (d *decoder) checkLimits(l *Limits) {
	if l.PerAddress.Given() && l.PerAddress.Value > l.Connections.Value {
		d.add(l.PerAddress.Origin, "", "one address may have %d connections, but there are %d for all", l.PerAddress.Value, l.Connections.Value)
	}
}

func (d *decoder) checkListeners(c *Config) {
	names := map[string]mail.Origin{}
	taken := map[string][]taken{}
	for i := range c.Listen {
		l := &c.Listen[i]
		if before, ok := names[l.Name.Value]; ok {
			d.add(l.Origin, `give one a name = "..."`, "two listeners are called %q: the other is in line %d", clip(l.Name.Value), before.Line)
		}
		names[l.Name.Value] = l.Origin
		if len(l.Address.Value) == 0 && !l.Address.Given() {
			d.add(l.Origin, `write address = "unix:FILE" or "127.0.0.1:24"`, "it says nowhere where to listen")
		}
		for _, a := range l.Address.Value {
			d.checkAddress(l, a, taken)
		}
		d.checkLimits(&l.Limits)
		d.checkSubmission(c, l)
	}
	d.checkHTTPS(c, taken)
	d.checkACME(c, taken)
}

// checkSubmission finds a listener at which nobody could log in, and settings that
// are of use only where people do.
func (d *decoder) checkSubmission(c *Config, l *Listen) {
	if !l.Submits() {
		for _, o := range []named{
			{"client_ca", l.ClientCA.Origin, l.ClientCA.Given()},
			{"cram_md5", l.CRAMMD5.Origin, l.CRAMMD5.Given()},
			{"hide_client", l.HideClient.Origin, l.HideClient.Given()},
		} {
			if o.set {
				d.add(o.origin, `listen "submission" is for people`, "%s is of no use here, since nobody logs in", o.word)
			}
		}
		return
	}
	trusted := len(c.Relay.Networks.Value) > 0
	users := c.Users.Origin != (mail.Origin{})
	switch {
	case !users && !trusted:
		d.add(l.Origin, "write users { file = \"users\" }, or relay { networks = [...] }", "nobody may submit mail here")
	case l.TLS.Value == "off" && !trusted:
		d.add(l.TLS.Origin, `write tls = "require"`, "nobody may submit mail here, for nobody logs in without TLS")
	case l.Kind == ListenSubmissions && l.TLS.Value != "implicit":
		d.add(l.TLS.Origin, `listen "submission" is for STARTTLS`, `listen "submissions" begins with TLS (RFC 8314, 3.3)`)
	}
	switch {
	case !l.ClientCA.Given():
	case l.TLS.Value == "off":
		d.add(l.ClientCA.Origin, "", "client_ca is of no use without TLS")
	case !c.Users.CanFind():
		d.add(l.ClientCA.Origin, `write users { file = "users" }`, "whose a certificate is must be found in a file of users, by a search in LDAP or in a database")
	}
	switch {
	case !l.CRAMMD5.Given():
	case l.TLS.Value == "off":
		d.add(l.CRAMMD5.Origin, "", "cram_md5 is of no use without TLS")
	case !c.Users.File.Given():
		d.add(l.CRAMMD5.Origin, `write users { file = "users" }`, "what CRAM-MD5 needs of a password is kept in a file of users only")
	}
}

// taken is a host on which a port is taken.
type taken struct {
	host   string
	origin mail.Origin
}

// checkAddress finds a listener at a place that is not its own.
func (d *decoder) checkAddress(l *Listen, address string, all map[string][]taken) {
	if _, port, _ := net.SplitHostPort(address); l.Kind == ListenLMTP && port == "25" {
		d.add(l.Address.Origin, "", "LMTP must not be spoken on port 25 (RFC 2033, 5)")
	}
	at := l.Address.Origin
	if !l.Address.Given() {
		at = l.Origin
	}
	d.claimPlace(at, address, all)
}

// claimPlace finds two listeners at one place. A listener on all addresses has the
// port on each of them.
func (d *decoder) claimPlace(at mail.Origin, address string, all map[string][]taken) {
	host, port, err := net.SplitHostPort(address)
	if err != nil { // unix:FILE
		host, port = "", address
	}
	if port == "0" {
		return
	}
	for _, other := range all[port] {
		if host == other.host || anyHost(host) || anyHost(other.host) {
			d.add(at, "", "%s is taken by the listener in line %d", address, other.origin.Line)
			break
		}
	}
	all[port] = append(all[port], taken{host, at})
}

// anyHost reports whether a host stands for all addresses of this machine. Go
// listens on both IPv4 and IPv6 for either form of it.
func anyHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}

func (d *decoder) checkDomains(c *Config) {
	names := map[string]mail.Origin{}
	for i := range c.Domains {
		m := &c.Domains[i]
		d.claim(names, m.Name, m.Origin)
		for _, also := range m.Also.Value {
			d.claim(names, also, m.Also.Origin)
		}
		d.checkDomain(c, m)
	}
	for _, p := range c.Relay.Domains.Value {
		if at, ok := names[mail.FoldDomain(string(p))]; ok {
			d.add(c.Relay.Domains.Origin, "a domain is one or the other", "mail for %s is delivered here, as line %d says, and not relayed", p, at.Line)
		}
	}
}

func (d *decoder) claim(names map[string]mail.Origin, name string, at mail.Origin) {
	if before, ok := names[name]; ok {
		d.add(at, "", "the domain %s is in line %d already", name, before.Line)
		return
	}
	names[name] = at
}

func (d *decoder) checkDomain(c *Config, m *Domain) {
	sources := len(m.Mailboxes.Value) + len(m.MailboxFiles.Value) + len(m.Aliases.Value) + len(m.UnixAliases.Value) + len(m.Forwards)
	if sources == 0 && m.CatchAll.Value.IsNull() {
		d.add(m.Origin, "write mailboxes = [...]; to be a backup MX, relay { domains = [...] }", "nobody has mail in this domain")
	}
	for _, o := range []named{
		{"unix_include", m.UnixInclude.Origin, len(m.UnixInclude.Value) > 0},
		{"unix_pipes", m.UnixPipes.Origin, m.UnixPipes.Value},
		{"unix_files", m.UnixFiles.Origin, m.UnixFiles.Value},
	} {
		if o.set && len(m.UnixAliases.Value) == 0 {
			d.add(o.origin, "", "%s is of no use without unix_aliases", o.word)
		}
	}
	if m.KeepTags.Value && m.Tags.Value == "" {
		d.add(m.KeepTags.Origin, "", "keep_tags is of no use without tags")
	}
	d.checkNames(m)
	if _, ok := c.Route(m.Deliver.Value); !ok && m.Deliver.Value != MailboxesRoute {
		d.add(m.Deliver.Origin, didYouMean(m.Deliver.Value, c.routeNames()), "there is no route %q", clip(m.Deliver.Value))
	}
}

// checkNames finds a name that is somebody here and elsewhere.
func (d *decoder) checkNames(m *Domain) {
	fold := mail.FoldLocal
	if m.CaseSensitive.Value {
		fold = func(s string) string { return s }
	}
	here := map[string]mail.Origin{}
	for _, name := range m.Mailboxes.Value {
		if _, twice := here[fold(name)]; twice {
			d.add(m.Mailboxes.Origin, "", "the mailbox %q is named twice", name)
		}
		here[fold(name)] = m.Mailboxes.Origin
	}
	for _, f := range m.Forwards {
		if !f.To.Given() {
			d.add(f.Origin, `write to = "NAME@DOMAIN"`, "it says nowhere where %q has gone", f.Name)
		}
		if before, ok := here[fold(f.Name)]; ok {
			d.add(f.Origin, "", "%q is in line %d already", f.Name, before.Line)
		}
		here[fold(f.Name)] = f.Origin
	}
}

func (c *Config) routeNames() []string {
	var names []string
	for i := range c.Routes {
		names = append(names, c.Routes[i].Name)
	}
	return names
}

func (d *decoder) checkRoutes(c *Config) {
	names := map[string]mail.Origin{}
	for i := range c.Routes {
		r := &c.Routes[i]
		if before, ok := names[r.Name]; ok {
			d.add(r.Origin, "", "the route %q is in line %d already", r.Name, before.Line)
		}
		names[r.Name] = r.Origin
		d.checkTransport(r)
		d.checkSchedule(&r.Schedule)
		r.ByName = r.bare() && c.deliversTo(r.Name)
		if r.Name == DefaultRoute && !r.bare() {
			d.add(r.Origin, "give it another name", "the route %q is for what no other route takes, and has no conditions", DefaultRoute)
		}
	}
	c.addRoutes()
	for i := range c.Routes {
		c.Routes[i].complete()
	}
	d.checkReach(c)
}

func (c *Config) deliversTo(route string) bool {
	return slices.ContainsFunc(c.Domains, func(m Domain) bool { return m.Deliver.Value == route })
}
