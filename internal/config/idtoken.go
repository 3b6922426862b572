package config

import (
	"github.com/posthouse/posthouse/internal/mail"
)

// Issuer is one whose tokens are taken at logins.
type Issuer struct {
	Origin   mail.Origin       // zero: no tokens are taken
	Name     Setting[string]   // as its tokens name it
	Audience Setting[[]string] // of which a token must name one
	Claim    Setting[string]   // of a token, that names the account
	Keys     Setting[string]   // file of its keys; or
	KeysURL  Setting[string]   // where they are fetched
	CA       Setting[string]   // file of certificates by which the server of the keys is known; "": those of the system
}

// Used reports whether tokens are taken.
func (o *Issuer) Used() bool { return o.Origin != (mail.Origin{}) }

func (o *Issuer) block() block {
	return block{
		word: "oauth", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			o.Origin = at
			return o.schema(), true
		},
		all: func() []schema {
			if !o.Used() {
				return nil
			}
			return []schema{o.schema()}
		},
	}
}

func (o *Issuer) schema() schema {
	return schema{title: "oauth", fields: []field{
		one("issuer", &o.Name, text()),
		list("audience", &o.Audience, text()),
		one("claim", &o.Claim, text()),
		one("keys", &o.Keys, file()),
		one("keys_url", &o.KeysURL, secureURL()),
		one("ca", &o.CA, file()),
	}}
}

// checkIssuer finds settings that are missing, or that mean nothing.
func (d *decoder) checkIssuer(u *Users) {
	o := &u.OAuth
	if !o.Used() {
		return
	}
	if !u.CanFind() {
		d.add(o.Origin, `write file = "users", ldap { ... } with a search or sql { ... }`, "whose a token is must be found among users that are known here")
	}
	for _, needed := range []named{
		{"issuer", o.Origin, o.Name.Given()},
		{"audience", o.Origin, o.Audience.Given()},
		{"keys_url", o.Origin, o.Keys.Given() || o.KeysURL.Given()},
	} {
		if !needed.set {
			d.add(needed.origin, "write "+needed.word+" = ...", "it says nowhere which tokens are good")
		}
	}
	switch {
	case o.Keys.Given() && o.KeysURL.Given():
		d.add(o.KeysURL.Origin, "", "keys are in a file, as line %d says, or fetched, and not both", o.Keys.Origin.Line)
	case o.CA.Given() && !o.KeysURL.Given():
		d.add(o.CA.Origin, "", "ca is of no use if no keys are fetched")
	}
}
