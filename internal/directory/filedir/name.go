package filedir

import (
	"strings"

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

// unquote undoes the quoting of a name that stands alone.
func unquote(name string) string {
	if p, err := smtp.ParseMailbox(name + "@x.invalid"); err == nil {
		return p.Mailbox()
	}
	return name
}
