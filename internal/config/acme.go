package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// LetsEncrypt is the authority of an acme block that names none.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// ACME is an authority that gives certificates to programs (RFC 8555).
type ACME struct {
	Origin    mail.Origin // zero: none are got
	Agree     Setting[bool]
	Email     Setting[smtp.Path] // of the account; null: none
	Directory Setting[string]    // URL
	CA        Setting[string]    // file of certificates by which the authority is known; "": those of the system
	AccountID Setting[string]    // what the authority has given us beforehand; "": nothing
	// AccountKey is the first line of this, in base64 as in URLs.
	AccountKey Secret
	Names      Setting[[]string] // a certificate for each; it is never empty
	HTTP       Setting[string]   // "HOST:PORT": challenges by HTTP-01 are answered here; "": nowhere
	TLSALPN    Setting[string]   // the same by TLS-ALPN-01
	ReuseKey   Setting[bool]     // a renewed certificate has the key of the one before
}

// Used reports whether certificates are got.
func (a *ACME) Used() bool { return a.Origin != (mail.Origin{}) }

func (c *Config) acmeBlock() block {
	return block{
		word: "acme", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			c.ACME.Origin = at
			return c.ACME.schema(), true
		},
		all: func() []schema {
			if !c.ACME.Used() {
				return nil
			}
			return []schema{c.ACME.schema()}
		},
	}
}

func (a *ACME) schema() schema {
	return schema{title: "acme", fields: slices.Concat([]field{
		one("agree", &a.Agree, yes()),
		one("email", &a.Email, mailbox()),
		one("directory", &a.Directory, secureURL()),
		one("ca", &a.CA, file()),
		one("account_id", &a.AccountID, text()),
	}, a.AccountKey.fields("account_key", "account_key_file"), []field{
		list("names", &a.Names, domain()),
		one("http", &a.HTTP, endpoint(hereAt, false)),
		one("tls_alpn", &a.TLSALPN, endpoint(hereAt, false)),
		one("reuse_key", &a.ReuseKey, yesNo()),
	})}
}

// hereAt is an address of this machine with a port that others know.
func hereAt(host string, port uint16) error {
	if port == 0 {
		return errors.New("the authority must know the port")
	}
	return here(host, port)
}

// secureURL is the URL of a server that proves who it is.
func secureURL() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
			return "", fmt.Errorf(`%q is no URL such as "https://example.org/path"`, clip(s))
		}
		return s, nil
	}, itself)
}

// checkACME finds certificates that could not be got, or that nobody would see; and
// fills in what depends on other settings.
func (d *decoder) checkACME(c *Config, all map[string][]taken) {
	a := &c.ACME
	if !a.Used() {
		return
	}
	if !a.Agree.Given() {
		d.add(a.Origin, "read them, and write agree = true", "an authority gives certificates only to who agrees to its terms")
	}
	if !c.HTTPS.Used() && !slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.TLS.Value != "off" }) {
		d.add(a.Origin, `write listen "smtp" {}`, "certificates are of no use, since no listener speaks TLS")
	}
	d.checkSecret("account_key", &a.AccountKey)
	switch {
	case a.AccountID.Given() && !a.AccountKey.Given():
		d.add(a.AccountID.Origin, "write account_key_file, or account_key_env, account_key_command, account_key_credential", "the account has no key")
	case a.AccountKey.Given() && !a.AccountID.Given():
		d.add(a.AccountKey.Origin(), "write account_id", "the key is of no account")
	}
	a.Names = a.Names.or(append([]string{c.Hostname.Value}, c.webNames()...))
	if !a.TLSALPN.Given() {
		a.HTTP = a.HTTP.or(":80")
	}
	places := []Setting[string]{a.HTTP}
	if !c.HTTPS.Used() || !slices.Contains(c.HTTPS.Address.Value, a.TLSALPN.Value) { // else it is asked there
		places = append(places, a.TLSALPN)
	}
	for _, answers := range places {
		at := answers.Origin
		if !answers.Given() {
			at = a.Origin
		}
		if answers.Value != "" {
			d.claimPlace(at, answers.Value, all)
		}
	}
}
