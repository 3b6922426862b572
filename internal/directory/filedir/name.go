package filedir

import (
	"strings"
	"unicode/utf8"

	"github.com/posthouse/posthouse/smtp"
)

// localPath makes the address of a name in a domain. The name is not quoted.
func localPath(name, domain string) (smtp.Path, error) {
	p, err := smtp.ParseMailbox(name + "@" + domain)
	if err == nil && p.Mailbox() == name {
		return p, nil
	}
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	q, bad := smtp.ParseMailbox(quoted + "@" + domain)
	if bad != nil && err != nil {
		return smtp.Path{}, err // what is wrong with the name itself
	}
	return q, bad
}

// foldDomain returns a domain as A-labels in lower case.
func foldDomain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		if p, err := smtp.ParseMailbox("x@" + s); err == nil {
			if a, err := p.ToASCII(); err == nil {
				s = a.Domain()
			}
		}
	}
	return strings.ToLower(s)
}

// unquote undoes the quoting of a name that stands alone.
func unquote(name string) string {
	if p, err := smtp.ParseMailbox(name + "@x.invalid"); err == nil {
		return p.Mailbox()
	}
	return name
}
