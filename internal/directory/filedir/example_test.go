package filedir_test

import (
	"context"
	"fmt"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/directory/filedir"
	"github.com/posthouse/posthouse/smtp"
)

// What the desk does with a recipient.
func Example() {
	dir, err := filedir.Load(context.Background(), filedir.Options{
		Domains: []filedir.Domain{{
			Name:       "example.org",
			Mailboxes:  []string{"jane"},
			AliasFiles: []filedir.File{{Name: "/etc/posthouse/aliases"}},
			Tags:       "+",
		}},
		Files: memory{"/etc/posthouse/aliases": "sales: jane, joe@partner.example\n"},
	})
	if err != nil {
		fmt.Println(err) // all that is wrong, a line each
		return
	}
	for _, recipient := range []string{"Jane+shop@example.org", "sales@example.org", "joe@example.org", "x@elsewhere.example"} {
		to, _ := smtp.ParseMailbox(recipient)
		r, err := dir.Lookup(context.Background(), to)
		switch {
		case err != nil:
			fmt.Println("451:", err)
		case r.Kind == directory.NotOurs:
			fmt.Println(to, "is for somebody else; may this client relay?")
		case r.Reply() != nil:
			fmt.Println(r.Reply().Error())
		}
		for _, t := range r.To {
			fmt.Printf("%s goes to %s (%s)\n", to, t.To, r.Origin)
		}
	}
	// Output:
	// Jane+shop@example.org goes to jane@example.org (built in)
	// sales@example.org goes to jane@example.org (/etc/posthouse/aliases:1:1)
	// sales@example.org goes to joe@partner.example (/etc/posthouse/aliases:1:1)
	// 550 5.1.1 Nobody is known here by the name <joe@example.org>
	// x@elsewhere.example is for somebody else; may this client relay?
}
