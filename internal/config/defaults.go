package config

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

const day = 24 * time.Hour

func defaults() *Config {
	return &Config{
		Data: builtIn("/var/lib/posthouse"),
		Schedule: Schedule{
			Retry: builtIn([]Delay{
				{Min: time.Minute},
				{Min: 5 * time.Minute},
				{Min: 15 * time.Minute},
				{Min: time.Hour, Max: 4 * time.Hour},
			}),
			Expire: builtIn(5 * day),
			Warn:   builtIn(4 * time.Hour),
		},
		Limits:  defaultLimits(),
		Queue:   Queue{Window: builtIn(50_000), Deliveries: builtIn(500), Memory: builtIn[int64](64 << 20)},
		Spool:   Spool{FileBodies: builtIn[int64](128 << 10), DraftMemory: builtIn[int64](128 << 20), Reserve: builtIn[int64](256 << 20)},
		Journal: Journal{Keep: builtIn(30 * day), Size: builtIn[int64](2_000_000_000)},
		DNS:     DNS{Timeout: builtIn(5 * time.Second)},
		Reports: Reports{DoubleBounce: builtIn("postmaster")},
		Users: Users{
			Senders:    builtIn("own"),
			Messages:   builtIn(Rate{500, time.Hour}),
			Recipients: builtIn(Rate{3000, time.Hour}),
			SQL:        SQL{Timeout: builtIn(10 * time.Second)},
			LDAP:       LDAP{TLS: builtIn("starttls"), Timeout: builtIn(10 * time.Second)},
		},

		Inbox:    defaultInbox(),
		Security: defaultSecurity(),
		ACME:     ACME{Directory: builtIn(LetsEncrypt)},
		HTTPS:    HTTPS{Address: builtIn([]string{":443"})},
		Policy:   defaultPolicy(),
	}
}

// defaultLimits are those of the answering end, which documents them.
func defaultLimits() Limits {
	return Limits{
		MessageSize: builtIn[int64](50 << 20),
		TextLine:    builtIn(None),
		Recipients:  builtIn(1000),
		Messages:    builtIn(None),
		Errors:      builtIn(20),
		Connections: builtIn(10_000),
		PerAddress:  builtIn(100),
		Idle:        builtIn(5 * time.Minute),
		DataIdle:    builtIn(3 * time.Minute),
		Session:     builtIn(4 * time.Hour),
		Handshake:   builtIn(30 * time.Second),
		DataRate:    builtIn[int64](100),
		DataGrace:   builtIn(time.Minute),
	}
}

// newListen is a listener of a kind before its settings are read.
func (c *Config) newListen(kind string, at mail.Origin) Listen {
	l := Listen{Kind: kind, Origin: at, Name: builtIn(kind), Limits: c.Limits, Policy: builtIn(PolicyOff)}
	switch kind {
	case ListenSMTP:
		l.Address, l.TLS, l.Policy = builtIn([]string{":25"}), builtIn("offer"), builtIn(PolicyReject)
	case ListenSubmission:
		l.Address, l.TLS = builtIn([]string{":587"}), builtIn("require")
	case ListenSubmissions:
		l.Address, l.TLS = builtIn([]string{":465"}), builtIn("implicit")
	case ListenLMTP:
		l.TLS = builtIn("off")
	case ListenInbox:
		l.Address, l.TLS = builtIn([]string{"127.0.0.1:2525"}), builtIn("offer")
	}
	return l
}

func newDomain(name string, at mail.Origin) Domain {
	return Domain{Name: name, Origin: at, Deliver: builtIn(MailboxesRoute), Tags: builtIn("+"), Policy: builtIn(PolicyReject)}
}

func (c *Config) newRoute(name string, at mail.Origin) Route {
	return Route{
		Name: name, Origin: at,
		Schedule: c.Schedule,
		Limits: RouteLimits{
			Deliveries:  builtIn(200),
			Site:        builtIn(10),
			Destination: builtIn(5),
			Recipients:  builtIn(100),
		},
	}
}

// addRoutes adds the built-in routes whose names are not taken.
func (c *Config) addRoutes() {
	if _, taken := c.Route(MailboxesRoute); !taken && c.deliversTo(MailboxesRoute) {
		r := c.newRoute(MailboxesRoute, mail.Origin{})
		r.Transport, r.Maildir, r.ByName = Maildir, builtIn("mail/%{domain}/%{user}"), true
		c.Routes = append(c.Routes, r)
	}
	if _, taken := c.Route(DefaultRoute); !taken && !c.takesAll() {
		r := c.newRoute(DefaultRoute, mail.Origin{})
		r.Transport, r.Remote = Remote, builtIn(true)
		c.Routes = append(c.Routes, r)
	}
}

// takesAll reports whether a route that is written takes whatever comes to it.
func (c *Config) takesAll() bool {
	for i := range c.Routes {
		if r := &c.Routes[i]; !r.ByName && r.unconditional() {
			return true
		}
	}
	return false
}

// Route finds a route by its name.
func (c *Config) Route(name string) (*Route, bool) {
	for i := range c.Routes {
		if c.Routes[i].Name == name {
			return &c.Routes[i], true
		}
	}
	return nil, false
}

// complete gives a route the defaults of its transport. TLS is used to a smarthost
// always, to strangers if they offer it (RFC 7435).
func (r *Route) complete() {
	switch r.Transport {
	case Smarthost:
		r.TLS = r.TLS.or("require")
	case Remote:
		r.TLS = r.TLS.or("opportunistic")
	case LMTP:
		r.TLS = r.TLS.or("never")
	case Maildir:
		r.Quota = r.Quota.or(None)
		// No host is to be spared here, and messages that are on their way to
		// the disk together share its syncs.
		r.Limits.Site, r.Limits.Destination = r.Limits.Site.or(20), r.Limits.Destination.or(20)
	case Pipe:
		r.Timeout = r.Timeout.or(10 * time.Minute)
	}
}
