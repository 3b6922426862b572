package config

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// LDAP is a server that knows who may log in. Texts may have %{name}, %{user} and
// %{domain}.
type LDAP struct {
	Origin    mail.Origin     // zero: it is not asked
	URL       Setting[string] // "ldaps://HOST", "ldap://HOST" or "ldapi:///FILE"
	TLS       Setting[string] // ldap: "starttls" or, on this machine, "off"
	CA        Setting[string] // file of trusted certificates; "": those of the system
	Base      Setting[string] // below which entries are searched ...
	Filter    Setting[string] // ... that fit this
	User      Setting[string] // entry that may search; "": nobody has to say who he is
	Password  Secret
	Entry     Setting[string]   // name of the entry, in the place of a search
	Name      Setting[string]   // attribute that names the account; "": what the client said does
	Addresses Setting[[]string] // attributes of the addresses as which it may send
	Timeout   Setting[time.Duration]
}

// Used reports whether the server is asked.
func (l *LDAP) Used() bool { return l.Origin != (mail.Origin{}) }

// Where is the network and address of the server, and the host that its certificate is
// to name; implicit: TLS begins at once. The URL was checked.
func (l *LDAP) Where() (network, address, host string, implicit bool) {
	u, err := url.Parse(l.URL.Value)
	if err != nil {
		return "", "", "", false
	}
	port := u.Port()
	switch u.Scheme {
	case "ldapi":
		return "unix", u.Path, "", false
	case "ldaps":
		implicit = true
		if port == "" {
			port = "636"
		}
	case "ldap":
		if port == "" {
			port = "389"
		}
	}
	return "tcp", net.JoinHostPort(u.Hostname(), port), u.Hostname(), implicit
}

func (l *LDAP) block() block {
	return block{
		word: "ldap", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			l.Origin = at
			return l.schema(), true
		},
		all: func() []schema {
			if !l.Used() {
				return nil
			}
			return []schema{l.schema()}
		},
	}
}

func (l *LDAP) schema() schema {
	fields := []field{
		one("url", &l.URL, ldapURL()),
		one("tls", &l.TLS, choice("starttls", "off")),
		one("ca", &l.CA, file()),
		one("base", &l.Base, text()),
		one("filter", &l.Filter, text()),
		one("user", &l.User, text()),
	}
	fields = append(fields, l.Password.fields("password", "password_file")...)
	return schema{title: "ldap", fields: append(fields,
		one("entry", &l.Entry, text()),
		one("name", &l.Name, attribute()),
		list("addresses", &l.Addresses, attribute()),
		one("timeout", &l.Timeout, duration(time.Second, time.Minute)),
	)}
}

// attribute is the name of an attribute (RFC 4512, 1.4).
func attribute() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		odd := func(r rune) bool {
			return (r|0x20 < 'a' || 'z' < r|0x20) && (r < '0' || '9' < r) && r != '-' && r != '.' && r != ';'
		}
		if strings.ContainsFunc(s, odd) {
			return "", fmt.Errorf(`%q is no attribute such as "mail"`, clip(s))
		}
		return s, nil
	}, itself)
}

func ldapURL() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		wrong := fmt.Errorf(`%q is none of "ldaps://HOST", "ldap://HOST" (with a port or not) and "ldapi:///FILE"`, clip(s))
		u, err := url.Parse(s)
		if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return "", wrong
		}
		local := u.Scheme == "ldapi" && u.Host == "" && len(u.Path) > 1
		remote := (u.Scheme == "ldap" || u.Scheme == "ldaps") && u.Hostname() != "" && strings.Trim(u.Path, "/") == ""
		if !local && !remote {
			return "", wrong
		}
		return s, nil
	}, itself)
}

// checkLDAP finds settings that are missing, or that mean nothing.
func (d *decoder) checkLDAP(l *LDAP) {
	if !l.Used() {
		return
	}
	d.checkSecret("password", &l.Password)
	if !l.URL.Given() {
		d.add(l.Origin, `write url = "ldaps://HOST"`, "it says nowhere where the server is")
		return
	}
	d.checkLDAPPlace(l)
	switch {
	case !l.Entry.Given() && (!l.Base.Given() || !l.Filter.Given()):
		d.add(l.Origin, `write base = "ou=people,dc=example,dc=org" and filter = "(mail=%{name})"; or entry = "uid=%{user},ou=people,..."`,
			"it says nowhere how to find an entry")
	case l.Entry.Given():
		for _, o := range []named{
			{"base", l.Base.Origin, l.Base.Given()},
			{"filter", l.Filter.Origin, l.Filter.Given()},
			{"user", l.User.Origin, l.User.Given()},
		} {
			if o.set {
				d.add(o.origin, "", "%s is of no use with entry: nothing is searched", o.word)
			}
		}
	}
	switch {
	case l.User.Given() && !l.Password.Given():
		d.add(l.User.Origin, "write password_file, or password_env, password_command, password_credential", "the user has no password")
	case l.Password.Given() && !l.User.Given():
		d.add(l.Password.Origin(), "write user = ...", "the password has no user")
	}
}

// checkLDAPPlace sees that passwords do not travel in clear.
func (d *decoder) checkLDAPPlace(l *LDAP) {
	network, address, _, implicit := l.Where()
	switch {
	case !l.TLS.Given():
	case network == "unix" || implicit:
		d.add(l.TLS.Origin, "", "tls is of use only with ldap://")
	case l.TLS.Value == "off" && !isLoopback(address):
		d.add(l.TLS.Origin, "", "passwords would travel in clear: only this machine is asked without TLS")
	}
	if l.CA.Given() && (network == "unix" || l.TLS.Value == "off") {
		d.add(l.CA.Origin, "", "ca is of no use without TLS")
	}
}
