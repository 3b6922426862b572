package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Milter is a program that hears of mail and may refuse or change it, by the milter protocol.
type Milter struct {
	Name      string
	Origin    mail.Origin
	Address   Setting[string]   // "HOST:PORT" or "unix:FILE"
	Listeners Setting[[]string] // names of those whose mail it hears of; none: all
	Failure   Setting[string]   // PolicyDefer, PolicyReject, PolicyQuarantine or PolicyPass: while it does not answer

	Connect Setting[time.Duration] // to connect and agree on what is spoken
	Command Setting[time.Duration] // each stage before the message
	Content Setting[time.Duration] // each field and piece of the body
	End     Setting[time.Duration] // the end of the message
}

// PolicyPass is that nothing is held against mail.
const PolicyPass = "pass"

func (p *Policy) milterBlock() block {
	return many("milter", "rspamd", &p.Milters, (*Milter).schema,
		func(_ *decoder, label string, at mail.Origin) (Milter, bool) {
			return Milter{
				Name: label, Origin: at, Failure: builtIn(PolicyDefer),
				Connect: builtIn(10 * time.Second), Command: builtIn(30 * time.Second),
				Content: builtIn(time.Minute), End: builtIn(5 * time.Minute),
			}, true
		})
}

func (m *Milter) schema() schema {
	limit := duration(100*time.Millisecond, 10*time.Minute) // RFC 5321, 4.5.3.2.6: the client waits so long
	return schema{title: fmt.Sprintf("milter %s", literal(m.Name)), fields: []field{
		one("address", &m.Address, endpoint(there, true)),
		list("listeners", &m.Listeners, text()),
		one("failure", &m.Failure, choice(PolicyDefer, PolicyReject, PolicyQuarantine, PolicyPass)),
		one("connect", &m.Connect, limit),
		one("command", &m.Command, limit),
		one("content", &m.Content, limit),
		one("end", &m.End, limit),
	}}
}

// checkMilters finds milters that cannot be reached, or of whose listeners there is none.
func (d *decoder) checkMilters(c *Config) {
	names := map[string]mail.Origin{}
	for i := range c.Policy.Milters {
		m := &c.Policy.Milters[i]
		if before, twice := names[m.Name]; twice {
			d.add(m.Origin, "", "the milter %q is in line %d already", clip(m.Name), before.Line)
		}
		names[m.Name] = m.Origin
		if !m.Address.Given() {
			d.add(m.Origin, `write address = "unix:FILE" or "127.0.0.1:11332"`, "it says nowhere where the milter is")
		}
		for _, name := range m.Listeners.Value {
			i := slices.IndexFunc(c.Listen, func(l Listen) bool { return l.Name.Value == name })
			switch {
			case i < 0:
				d.add(m.Listeners.Origin, "", "there is no listener %q", clip(name))
			case c.Listen[i].Policy.Value == PolicyOff:
				d.add(m.Listeners.Origin, "", "the listener %q has no policy, so that no milter hears of its mail", clip(name))
			}
		}
	}
}
