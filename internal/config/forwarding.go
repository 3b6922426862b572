package config

import "github.com/posthouse/posthouse/internal/mail"

// Forwarding is how mail goes on that came to an address of ours and whose recipient is elsewhere.
type Forwarding struct {
	Origin mail.Origin // zero: as it came

	SRS  Setting[string] // the domain of the addresses that stand for senders; "": they stay as they are
	Seal Setting[string] // the domain with whose key is sealed what was found (ARC); "": nothing is
}

func (c *Config) forwardingBlock() block {
	return block{
		word: "forwarding", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			c.Forwarding.Origin = at
			return c.Forwarding.schema(), true
		},
		all: func() []schema {
			if c.Forwarding.Origin == (mail.Origin{}) {
				return nil
			}
			return []schema{c.Forwarding.schema()}
		},
	}
}

func (f *Forwarding) schema() schema {
	return schema{title: "forwarding", fields: []field{
		one("srs", &f.SRS, domain()),
		one("seal", &f.Seal, domain()),
	}}
}

// checkForwarding finds a seal of nothing.
func (d *decoder) checkForwarding(c *Config) {
	if c.Forwarding.Seal.Given() && !c.Judges() {
		d.add(c.Forwarding.Seal.Origin, `let a listener have a policy that is not "off"`, "what is sealed is what was found about a message, and nothing is looked for")
	}
}
