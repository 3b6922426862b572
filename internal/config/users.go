package config

import (
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
)

// sources are the settings and blocks that say who may log in.
func (u *Users) sources() []named {
	return []named{
		{"file", u.File.Origin, u.File.Given()},
		{"dovecot", u.Dovecot.Origin, u.Dovecot.Given()},
		{"ldap", u.LDAP.Origin, u.LDAP.Used()},
		{"sql", u.SQL.Origin, u.SQL.Used()},
	}
}

// CanFind reports whether somebody can be found who has not said a password.
func (u *Users) CanFind() bool {
	return u.File.Given() || u.SQL.Used() || u.LDAP.Used() && !u.LDAP.Entry.Given()
}

func (d *decoder) checkUsers(c *Config) {
	u := &c.Users
	if u.Origin == (mail.Origin{}) {
		return
	}
	var first named
	for _, s := range u.sources() {
		switch {
		case !s.set:
		case first.set:
			d.add(s.origin, "", "there are two places where users are: the other is %s, in line %d", first.word, first.origin.Line)
		default:
			first = s
		}
	}
	switch {
	case !first.set:
		d.add(u.Origin, `write file = "users", dovecot = "/run/dovecot/auth-client", ldap { ... } or sql { ... }`, "it says nowhere who they are")
	case !c.Console.logins() && !slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.Submits() }):
		d.add(u.Origin, `write listen "submission" {}`, "users are of no use, since no listener lets them log in")
	}
	d.checkLDAP(&u.LDAP)
	d.checkSQL(&u.SQL)
}
