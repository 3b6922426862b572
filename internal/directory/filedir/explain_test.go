package filedir_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/directory/filedir"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// TestAnAddressIsExplainedLineByLine: aliases of aliases, each told once with its
// line, mailboxes, who has moved, and the catch-all; nothing for others.
func TestAnAddressIsExplainedLineByLine(t *testing.T) {
	here := func(line int) mail.Origin { return mail.Origin{File: "main.hcl", Line: line, Column: 1} }
	to := func(s string) smtp.Path {
		p, err := smtp.ParseMailbox(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	dir, err := filedir.Load(t.Context(), filedir.Options{
		Domains: []filedir.Domain{
			{
				Name: "a.example", Origin: here(1), Mailboxes: []string{"jane", "joe"}, Tags: "+",
				AliasFiles: []filedir.File{{Name: "/aliases"}},
				Forwards:   []filedir.Forward{{Name: "gone", Origin: here(5), To: to("gone@elsewhere.example"), Refuse: true}},
			},
			{Name: "b.example", Origin: here(9), CatchAll: to("sales@a.example"), Also: []string{"b2.example"}},
		},
		Files: memory{"/aliases": "sales: team, jane, team\nteam: joe,\n  joan@partner.example, jane\n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	sales := `"sales" alias [team jane@a.example team] /aliases:1:1` + "\n" +
		`"team" alias [joe@a.example joan@partner.example jane@a.example] /aliases:2:1`
	for address, want := range map[string]string{
		"SALES@a.example":          sales,
		"jane+shop@a.example":      `"jane" mailbox [] main.hcl:1:1`,
		"gone@a.example":           `"gone" moved [gone@elsewhere.example] main.hcl:5:1`,
		"nobody@a.example":         "",
		"somebody@partner.example": "",
		"whoever@b2.example":       `"whom nobody knows" alias [sales] main.hcl:9:1` + "\n" + sales,
	} {
		lines, err := dir.Explain(t.Context(), to(address))
		if err != nil {
			t.Errorf("%s: %v", address, err)
		}
		var told []string
		for _, l := range lines {
			told = append(told, fmt.Sprintf("%q %s %v %s", l.Name, l.Kind, l.To, l.Origin))
		}
		if diff := cmp.Diff(want, strings.Join(told, "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", address, diff)
		}
	}
}
