package filedir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/directory/directorytest"
	"github.com/posthouse/posthouse/internal/directory/filedir"
	"github.com/posthouse/posthouse/smtp"
)

func TestSuite(t *testing.T) {
	directorytest.Run(t, func(t *testing.T, domains []directorytest.Domain) directory.Directory {
		var o filedir.Options
		for i, d := range domains {
			o.Domains = append(o.Domains, domainOf(t, i, d))
		}
		dir, err := filedir.Load(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	})
}

// domainOf writes the aliases and mailboxes into files.
func domainOf(t *testing.T, i int, d directorytest.Domain) filedir.Domain {
	out := filedir.Domain{
		Name: d.Name, Also: d.Also, CatchAll: path(t, d.CatchAll), Postmaster: path(t, d.Postmaster),
		Tags: "+", KeepTags: d.KeepTags, CaseSensitive: d.CaseSensitive,
	}
	for _, f := range d.Forwards {
		out.Forwards = append(out.Forwards, filedir.Forward{Name: f.Name, To: path(t, f.To), Tell: f.Tell, Refuse: f.Refuse})
	}
	var names, aliases strings.Builder
	for _, m := range d.Mailboxes {
		fmt.Fprintf(&names, "%q\n", m)
	}
	for _, a := range d.Aliases {
		fmt.Fprintf(&aliases, "%s: %s\n", a.Name, strings.Join(a.To, ", "))
	}
	dir := t.TempDir()
	write := func(name, text string) []filedir.File {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []filedir.File{{Name: name}}
	}
	out.MailboxFiles, out.AliasFiles = write("names", names.String()), write("aliases", aliases.String())
	return out
}

// path reads an address; "" is the null path.
func path(t *testing.T, s string) smtp.Path {
	t.Helper()
	if s == "" {
		return smtp.Path{}
	}
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
