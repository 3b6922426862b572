package config

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// schema is what may stand in the file. The tables of this file are in the order
// in which "show" prints them; settings come before blocks, so that a block can
// begin with what holds for all.
func (c *Config) schema(d *decoder) schema {
	return schema{
		fields: slices.Concat([]field{
			one("hostname", &c.Hostname, domain()),
			one("data", &c.Data, file()),
			one("user", &c.User, text()),
			one("postmaster", &c.Postmaster, mailbox()),
		}, c.SealKey.fields("seal_key", "seal_key_file"), c.Schedule.fields()),
		blocks: []block{
			single("limits", func() schema { return schema{title: "limits", fields: c.Limits.fields()} }),
			single("queue", c.Queue.schema),
			single("spool", c.Spool.schema),
			single("journal", c.Journal.schema),
			single("dns", c.DNS.schema),
			single("reports", c.Reports.schema),
			single("security", c.Security.schema),
			c.certificateBlock(),
			c.acmeBlock(),
			c.httpsBlock(),
			c.listenBlock(),
			c.relayBlock(),
			c.usersBlock(),
			c.domainBlock(),
			c.policyBlock(),
			c.forwardingBlock(),
			c.routeBlock(),
			c.tlsBlock(),
			c.consoleBlock(),
			c.inboxBlock(),
		},
	}
}

// single is a block without a name that is there once, whether it is written or
// not.
func single(word string, s func() schema) block {
	return block{
		word: word, once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) { return s(), true },
		all:  func() []schema { return []schema{s()} },
	}
}

func (s *Schedule) fields() []field {
	return []field{
		series("retry", &s.Retry, delay()),
		one("expire", &s.Expire, duration(time.Minute, 90*day)),
		one("warn", &s.Warn, orNone(duration(time.Minute, 90*day))),
	}
}

func (l *Limits) fields() []field {
	return []field{
		one("message_size", &l.MessageSize, size(64<<10, 1<<40)), // RFC 5321, 4.5.3.1.7: at least 64K
		one("text_line", &l.TextLine, orNone(number(1000, math.MaxInt32))),
		one("recipients", &l.Recipients, number(100, 100_000)), // RFC 5321, 4.5.3.1.8
		one("messages", &l.Messages, orNone(number(1, math.MaxInt32))),
		one("errors", &l.Errors, number(1, 10_000)),
		one("connections", &l.Connections, number(1, 1_000_000)),
		one("per_address", &l.PerAddress, number(1, 1_000_000)),
		one("idle", &l.Idle, duration(time.Second, day)),
		one("data_idle", &l.DataIdle, duration(time.Second, day)),
		one("session", &l.Session, duration(time.Minute, 30*day)),
		one("handshake", &l.Handshake, duration(time.Second, time.Hour)),
		one("data_rate", &l.DataRate, number[int64](1, 1<<30)),
		one("data_grace", &l.DataGrace, duration(time.Second, time.Hour)),
	}
}

func (q *Queue) schema() schema {
	return schema{title: "queue", fields: []field{
		one("window", &q.Window, number(1000, 10_000_000)),
		one("deliveries", &q.Deliveries, number(1, 100_000)),
		one("memory", &q.Memory, size(0, 1<<40)),
		one("hold", &q.Hold, yesNo()),
	}}
}

func (j *Journal) schema() schema {
	return schema{title: "journal", fields: []field{
		one("keep", &j.Keep, duration(time.Hour, 3650*day)),
		one("size", &j.Size, size(1<<20, 1<<50)),
	}}
}

func (n *DNS) schema() schema {
	return schema{title: "dns", fields: []field{
		list("servers", &n.Servers, server()),
		one("timeout", &n.Timeout, duration(100*time.Millisecond, time.Minute)),
		one("trusted", &n.Trusted, yesNo()),
		one("loopback", &n.Loopback, yesNo()),
	}}
}

func (r *Reports) schema() schema {
	return schema{title: "reports", fields: []field{
		one("double_bounce", &r.DoubleBounce, choice("postmaster", "drop")),
	}}
}

func (c *Config) certificateBlock() block {
	return many("certificate", "", &c.Certificates, (*Certificate).schema,
		func(_ *decoder, _ string, at mail.Origin) (Certificate, bool) { return Certificate{Origin: at}, true })
}

func (c *Certificate) schema() schema {
	return schema{title: "certificate", fields: append([]field{
		one("chain", &c.Chain, file()),
	}, c.Key.fields("key", "key")...)}
}

func (c *Config) listenBlock() block {
	kinds := choice(ListenSMTP, ListenSubmission, ListenSubmissions, ListenLMTP, ListenInbox)
	return many("listen", ListenSMTP, &c.Listen, (*Listen).schema,
		func(d *decoder, label string, at mail.Origin) (Listen, bool) {
			if _, err := kinds.read(d, textValue(label)); err != nil {
				d.add(at, "", "%v", err)
				return Listen{}, false
			}
			return c.newListen(label, at), true
		})
}

func (l *Listen) schema() schema {
	return schema{
		title: fmt.Sprintf("listen %q", l.Kind),
		fields: []field{
			one("name", &l.Name, text()),
			list("address", &l.Address, endpoint(here, l.Kind == ListenLMTP)),
			one("tls", &l.TLS, choice("off", "offer", "require", "implicit")),
			list("proxy_from", &l.ProxyFrom, network()),
			list("xclient_from", &l.XClientFrom, network()),
			one("client_ca", &l.ClientCA, file()),
			one("cram_md5", &l.CRAMMD5, yes()),
			one("hide_client", &l.HideClient, yes()),
			one("policy", &l.Policy, choice(PolicyReject, PolicyQuarantine, PolicyMark, PolicyOff)),
		},
		blocks: []block{single("limits", func() schema {
			return schema{title: fmt.Sprintf("limits of listen %q", l.Kind), fields: l.Limits.fields()}
		})},
	}
}

func (c *Config) relayBlock() block {
	return block{
		word: "relay", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			c.Relay.Origin = at
			return c.Relay.schema(), true
		},
		all: func() []schema { return []schema{c.Relay.schema()} },
	}
}

func (r *Relay) schema() schema {
	return schema{title: "relay", fields: []field{
		list("networks", &r.Networks, network()),
		list("domains", &r.Domains, pattern()),
	}}
}

func (c *Config) usersBlock() block {
	return block{
		word: "users", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			c.Users.Origin = at
			return c.Users.schema(), true
		},
		all: func() []schema {
			if c.Users.Origin == (mail.Origin{}) {
				return nil
			}
			return []schema{c.Users.schema()}
		},
	}
}

func (u *Users) schema() schema {
	return schema{title: "users", fields: []field{
		one("file", &u.File, file()),
		one("dovecot", &u.Dovecot, file()),
		one("senders", &u.Senders, choice("own", "domain", "any")),
		one("messages", &u.Messages, rate()),
		one("recipients", &u.Recipients, rate()),
	}, blocks: []block{u.LDAP.block(), u.SQL.block(), u.OAuth.block()}}
}

func (c *Config) domainBlock() block {
	return many("domain", "example.org", &c.Domains, (*Domain).schema,
		func(d *decoder, label string, at mail.Origin) (Domain, bool) {
			name, err := domain().read(d, textValue(label))
			if err != nil {
				d.add(at, "", "%v", err)
				return Domain{}, false
			}
			return newDomain(name, at), true
		})
}

func (m *Domain) schema() schema {
	return schema{
		title: fmt.Sprintf("domain %s", literal(m.Name)),
		fields: []field{
			list("also", &m.Also, domain()),
			one("deliver", &m.Deliver, text()),
			list("mailboxes", &m.Mailboxes, localPart()),
			list("mailbox_files", &m.MailboxFiles, file()),
			list("aliases", &m.Aliases, file()),
			one("catch_all", &m.CatchAll, mailbox()),
			one("postmaster", &m.Postmaster, mailbox()),
			one("tags", &m.Tags, tags()),
			one("keep_tags", &m.KeepTags, yesNo()),
			one("case_sensitive", &m.CaseSensitive, yesNo()),
			one("mta_sts", &m.MTASTS, choice(STSNone, STSTesting, STSEnforce)),
			one("policy", &m.Policy, choice(PolicyReject, PolicyQuarantine, PolicyMark)),
			list("unix_aliases", &m.UnixAliases, file()),
			list("unix_include", &m.UnixInclude, file()),
			one("unix_pipes", &m.UnixPipes, yesNo()),
			one("unix_files", &m.UnixFiles, yesNo()),
		},
		blocks: []block{m.forwardBlock()},
	}
}

func (m *Domain) forwardBlock() block {
	return many("forward", "jane", &m.Forwards, (*Forward).schema,
		func(d *decoder, label string, at mail.Origin) (Forward, bool) {
			name, err := localPart().read(d, textValue(label))
			if err != nil {
				d.add(at, "", "%v", err)
				return Forward{}, false
			}
			return Forward{Name: name, Origin: at, Answer: builtIn(250)}, true
		})
}

func (f *Forward) schema() schema {
	answer := number(250, 551)
	read := answer.read
	answer.read = func(d *decoder, v value) (int, error) {
		n, err := read(d, v)
		if err == nil && n != 250 && n != 251 && n != 551 {
			err = fmt.Errorf("the answer is 250, 251 or 551, not %d", n)
		}
		return n, err
	}
	return schema{title: fmt.Sprintf("forward %s", literal(f.Name)), fields: []field{
		one("to", &f.To, mailbox()),
		one("answer", &f.Answer, answer),
	}}
}

func (c *Config) routeBlock() block {
	return many("route", "out", &c.Routes, (*Route).schema,
		func(_ *decoder, label string, at mail.Origin) (Route, bool) { return c.newRoute(label, at), true })
}

func (r *Route) schema() schema {
	return schema{
		title: fmt.Sprintf("route %s", literal(r.Name)),
		fields: slices.Concat([]field{
			list("to", &r.To, pattern()),
			list("from", &r.From, pattern()),
			list("networks", &r.Networks, network()),
			list("logins", &r.Logins, text()),
			one(Remote, &r.Remote, yes()),
			list(Smarthost, &r.Smarthost, endpoint(there, false)),
			list(LMTP, &r.LMTP, endpoint(there, true)),
			one(Maildir, &r.Maildir, folders()),
			series(Pipe, &r.Pipe, argument()),
			one(IntoInbox, &r.Inbox, text()),
			one(Discard, &r.Discard, yes()),
			one("tls", &r.TLS, choice("require", "opportunistic", "implicit", "never")),
			one("ca", &r.CA, file()),
			one("user", &r.User, text()),
		}, r.Password.fields("password", "password_file"), []field{
			one("quota", &r.Quota, unlessZero(orNone(size(1<<20, 1<<50)))),
			one("timeout", &r.Timeout, unlessZero(duration(time.Second, day))),
		}, r.Schedule.fields()),
		blocks: []block{single("limits", r.limits), r.OAuth.block(r.Name)},
	}
}

func (r *Route) limits() schema {
	l := &r.Limits
	return schema{title: fmt.Sprintf("limits of route %s", literal(r.Name)), fields: []field{
		one("deliveries", &l.Deliveries, orNone(number(1, 100_000))),
		one("rate", &l.Rate, rate()),
		one("site", &l.Site, orNone(number(1, 100_000))),
		one("site_rate", &l.SiteRate, rate()),
		one("destination", &l.Destination, orNone(number(1, 100_000))),
		one("destination_rate", &l.DestRate, rate()),
		one("recipients", &l.Recipients, number(1, 100_000)),
	}}
}

// many is a block that may come again; each is an element of a list.
func many[T any](word, label string, to *[]T, s func(*T) schema, open func(d *decoder, label string, at mail.Origin) (T, bool)) block {
	return block{
		word: word, label: label,
		open: func(d *decoder, label string, at mail.Origin) (schema, bool) {
			v, ok := open(d, label, at)
			if !ok {
				return schema{}, false
			}
			read := s(&v)
			read.done = func() { *to = append(*to, v) }
			return read, true
		},
		all: func() []schema {
			var all []schema
			for i := range *to {
				all = append(all, s(&(*to)[i]))
			}
			return all
		},
	}
}

// tags is characters that may begin a tag, or "none".
func tags() kind[string] {
	return kind[string]{
		read: func(_ *decoder, v value) (string, error) {
			s, err := asText(v)
			switch {
			case err != nil:
				return "", err
			case s == "none":
				return "", nil
			case strings.Trim(s, "+-=_.~#") != "" || len(s) > 4:
				return "", fmt.Errorf(`%q cannot begin a tag: use some of + - = _ . ~ #, or "none"`, clip(s))
			}
			return s, nil
		},
		show: func(s string) any {
			if s == "" {
				return "none"
			}
			return s
		},
	}
}
