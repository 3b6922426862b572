// Package directorytest is the suite that every engine of a directory passes.
package directorytest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/smtp"
)

// Domain is a domain as the suite wants it.
type Domain struct {
	Name          string
	Also          []string
	Mailboxes     []string
	Aliases       []Alias
	Forwards      []Forward
	CatchAll      string
	Postmaster    string
	KeepTags      bool
	CaseSensitive bool
}

// Alias is a name of others. A target without a domain is of the same domain.
type Alias struct {
	Name string
	To   []string
}

// Forward is somebody who has moved.
type Forward struct {
	Name, To     string
	Tell, Refuse bool
}

// Run plays the suite. The function makes a directory of domains whose tags begin
// with '+', without a postmaster for all of them.
func Run(t *testing.T, open func(t *testing.T, domains []Domain) directory.Directory) {
	d := open(t, house())
	t.Run("lookup", func(t *testing.T) { lookups(t, d) })
	t.Run("find", func(t *testing.T) { finds(t, d) })
	t.Run("replies", func(t *testing.T) { replies(t, d) })
	t.Run("many at a time", func(t *testing.T) { atATime(t, d) })
	t.Run("no domains", func(t *testing.T) {
		check(t, open(t, nil), "jane@example.org", "not ours jane@example.org")
	})
}

// house is who lives here while the suite is played.
func house() []Domain {
	return []Domain{
		{
			Name: "example.org", Also: []string{"example.com", "bücher.example"},
			Mailboxes: []string{"jane", "Joe", "a+b", "x", "x+y", "the porter"},
			Aliases: []Alias{
				{"sales", []string{"jane", "joe@partner.example"}},
				{"office", []string{"sales", "Joe", "sales", "joe@PARTNER.example", "JANE@example.com"}},
				{"joe", []string{"joe", "archive@elsewhere.example"}},
				{"hidden", []string{"other@example.net"}},
				{"gone", []string{"mover"}},
				{"tagged", []string{"jane+x"}},
			},
			Forwards: []Forward{
				{Name: "mover", To: "mover@new.example", Tell: true},
				{Name: "silent", To: "silent@new.example"},
				{Name: "away", To: "away@new.example", Refuse: true},
			},
		},
		{
			Name: "example.net", Mailboxes: []string{"Jane", "jane"}, CatchAll: "sales@example.org",
			Postmaster: "jane@example.org", KeepTags: true, CaseSensitive: true,
		},
	}
}

// lookups is what each address is; a '*' is behind those who live here.
func lookups(t *testing.T, d directory.Directory) {
	for _, x := range [][2]string{
		{"jane@example.org", "mailbox jane@example.org: jane@example.org*"},
		{"JANE@EXAMPLE.org", "mailbox jane@example.org: jane@example.org*"},
		{`"jane"@example.com`, "mailbox jane@example.org: jane@example.org*"},
		{"jane@bücher.example", "mailbox jane@example.org: jane@example.org*"},
		{"jane@xn--bcher-kva.example", "mailbox jane@example.org: jane@example.org*"},
		{"jane+lists+go@example.org", "mailbox jane@example.org: jane@example.org*"},
		{"a+b@example.org", "mailbox a+b@example.org: a+b@example.org*"},
		{"a+b+c@example.org", "mailbox a+b@example.org: a+b@example.org*"},
		{"a@example.org", "unknown a@example.org"},
		{"x+y+z@example.org", "mailbox x+y@example.org: x+y@example.org*"},
		{"x+z+y@example.org", "mailbox x@example.org: x@example.org*"},
		{"+jane@example.org", "unknown +jane@example.org"},
		{`"the porter"@example.org`, `mailbox "the porter"@example.org: "the porter"@example.org*`},
		{`"The Porter+x"@example.org`, `mailbox "the porter"@example.org: "the porter"@example.org*`},

		{"sales@example.org", "alias sales@example.org: jane@example.org* joe@partner.example"},
		{"Sales+x@example.com", "alias sales@example.org: jane@example.org* joe@partner.example"},
		{"office@example.org", "alias office@example.org: jane@example.org* joe@partner.example Joe@example.org* archive@elsewhere.example"},
		{"joe@example.org", "alias joe@example.org: Joe@example.org* archive@elsewhere.example"},
		{"hidden@example.org", "alias hidden@example.org: jane@example.org* joe@partner.example"},
		{"gone@example.org", "alias gone@example.org: mover@new.example"},
		{"tagged@example.org", "alias tagged@example.org: jane@example.org*"},

		{"mover@example.org", "forwarded mover@example.org: mover@new.example"},
		{"silent+x@example.org", "forwarded silent@example.org: silent@new.example"},
		{"away@example.org", "moved away@example.org to away@new.example"},

		{"jane@example.net", "mailbox jane@example.net: jane@example.net*"},
		{"Jane+Lists@example.net", "mailbox Jane@example.net: Jane+Lists@example.net*"},
		{"JANE@example.net", "alias JANE@example.net: jane@example.org* joe@partner.example"},
		{"anybody@example.net", "alias anybody@example.net: jane@example.org* joe@partner.example"},

		{"postmaster", "mailbox postmaster@example.org: postmaster@example.org*"},
		{"PostMaster@example.com", "mailbox postmaster@example.org: postmaster@example.org*"},
		{"POSTMASTER@example.net", "alias postmaster@example.net: jane@example.org*"},

		{"jane@example", "not ours jane@example"},
		{"jane@sub.example.org", "not ours jane@sub.example.org"},
		{"jane@[192.0.2.1]", "not ours jane@[192.0.2.1]"},
		{"", "not ours "},
	} {
		check(t, d, x[0], x[1])
	}
}

func check(t *testing.T, d directory.Directory, address, want string) {
	t.Helper()
	var to smtp.Path
	if address != "" {
		var err error
		if to, err = smtp.ParseMailbox(address); err != nil {
			t.Fatal(err)
		}
	}
	r, err := d.Lookup(t.Context(), to)
	if got := Text(r); err != nil || got != want {
		t.Errorf("%s:\ngot  %s, %v\nwant %s", address, got, err, want)
	}
	seen := map[directory.Target]bool{}
	for _, target := range r.To {
		if seen[target] {
			t.Errorf("%s: %s is there twice", address, target.To)
		}
		seen[target] = true
	}
}

// Text prints an answer on one line, with a '*' behind those who live here.
func Text(r directory.Resolution) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Kind, r.Address)
	if r.Kind == directory.Moved {
		fmt.Fprintf(&b, " to %s", r.New)
	}
	for i, t := range r.To {
		b.WriteString([]string{": ", " "}[min(i, 1)])
		if t.Into != "" {
			fmt.Fprintf(&b, "{%s}", t.Into)
			continue
		}
		b.WriteString(t.To.String())
		if t.Local {
			b.WriteByte('*')
		}
	}
	return b.String()
}

func finds(t *testing.T, d directory.Directory) {
	for word, want := range map[string][]string{
		"jane":                       {"jane@example.org", "jane@example.net"},
		"<jane@example.org>":         {"jane@example.org"},
		"Jane+x@EXAMPLE.com":         {"jane@example.org"},
		"sales":                      {"sales@example.org"},
		`"the porter"`:               {`"the porter"@example.org`},
		"the porter":                 {`"the porter"@example.org`},
		"postmaster":                 {"postmaster@example.org", "postmaster@example.net"},
		"anybody":                    nil, // caught by a rule, and known to nobody
		"anybody@example.net":        nil,
		"jane@elsewhere.test":        nil,
		"":                           nil,
		"<>":                         nil,
		"@":                          nil,
		"\x00\r\n":                   nil,
		strings.Repeat("+", 100_000): nil,
	} {
		found, err := d.Find(t.Context(), word)
		var got []string
		for _, r := range found {
			got = append(got, r.Address.String())
		}
		if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%.50q: found %q, %v; want %q", word, got, err, want)
		}
	}
}

func replies(t *testing.T, d directory.Directory) {
	ctx := t.Context()
	ask := func(to string) error {
		p, err := smtp.ParseMailbox(to)
		if err != nil {
			return err
		}
		r, err := d.Lookup(ctx, p)
		if reply := r.Reply(); reply != nil {
			err = reply
		}
		return err
	}
	verify := func(user string) error { return replyOf(directory.Verify(ctx, d, user)) }
	expand := func(list string) error { return replyOf(directory.Expand(ctx, d, list)) }
	for _, x := range []struct {
		ask        func(string) error
		word, want string
	}{
		{ask, "nobody@example.org", "550 5.1.1 Nobody is known here by the name <nobody@example.org>"},
		{ask, "mover@example.org", "251 2.1.5 User not local; will forward to <mover@new.example>"},
		{ask, "away@example.org", "551 5.1.6 User not local; please try <away@new.example>"},
		{ask, "silent@example.org", ""},
		{ask, "jane@example.org", ""},
		{ask, "jane@elsewhere.example", ""},
		{verify, "jane@example.org", "250 2.1.5 jane@example.org"},
		{verify, "jane", "553 5.1.4 Ambiguous; possibilities are <jane@example.org> <jane@example.net>"},
		{verify, "sales", "250 2.1.5 Mailing list <sales@example.org>"},
		{verify, "mover", "251 2.1.5 User not local; will forward to <mover@new.example>"},
		{verify, "away", "551 5.1.6 User not local; please try <away@new.example>"},
		{verify, "silent", "250 2.1.5 silent@example.org"},
		{verify, "nobody", "550 5.1.1 Nobody is known here by this name"},
		{expand, "sales", "250 2.1.5 jane@example.org joe@partner.example"},
		{expand, "jane@example.org", "550 5.1.0 That is a user name, not a mailing list"},
		{expand, "jane", "553 5.1.4 Ambiguous; possibilities are <jane@example.org> <jane@example.net>"},
		{expand, "nobody", "550 5.1.1 Nobody is known here by this name"},
	} {
		got := ""
		if err := x.ask(x.word); err != nil {
			got = err.Error()
		}
		if got != x.want {
			t.Errorf("%s: got %q, want %q", x.word, got, x.want)
		}
	}
}

func replyOf(r *smtp.Reply, err error) error { return errors.Join(err, r) }

func atATime(t *testing.T, d directory.Directory) {
	p, err := smtp.ParseMailbox("office@example.org")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 100 {
				if r, err := d.Lookup(t.Context(), p); err != nil || len(r.To) != 4 {
					t.Errorf("%s, %v", Text(r), err)
					return
				}
			}
		})
	}
	wait.Wait()
}
