package directory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/smtp"
)

// answers are what each address is.
type answers struct {
	directory.Directory
	of map[string]directory.Resolution
}

func (a answers) Lookup(_ context.Context, to smtp.Path) (directory.Resolution, error) {
	r, ok := a.of[to.String()]
	if !ok {
		return r, errors.New("away")
	}
	return r, nil
}

func TestAsWhomOneMaySend(t *testing.T) {
	jane, joe := mailbox(t, "jane@example.org"), mailbox(t, "joe@example.org")
	local := func(p smtp.Path) directory.Target { return directory.Target{To: p, Local: true} }
	people := answers{of: map[string]directory.Resolution{
		"joe@example.org":      {Kind: directory.Mailbox, Address: joe, To: []directory.Target{local(joe)}},
		"jane+x@example.org":   {Kind: directory.Mailbox, Address: jane, To: []directory.Target{local(mailbox(t, "jane+x@example.org"))}},
		"jane@example.com":     {Kind: directory.Mailbox, Address: jane, To: []directory.Target{local(jane)}},
		"director@example.org": {Kind: directory.Alias, To: []directory.Target{local(jane)}},
		"sales@example.org":    {Kind: directory.Alias, To: []directory.Target{local(jane), local(joe)}},
		"away@example.org":     {Kind: directory.Forwarded, To: []directory.Target{{To: jane}}},
		"robot@example.org":    {Kind: directory.Alias, To: []directory.Target{{To: jane, Into: "|/bin/robot"}}},
		"li@elsewhere.example": {Kind: directory.NotOurs},
		"eve@example.org":      {Kind: directory.Unknown},
	}}
	own, domain, anybody := &directory.Senders{}, &directory.Senders{Scope: directory.Domain}, &directory.Senders{Scope: directory.Any}
	listed := &directory.Senders{Scope: directory.Any, List: []string{"news@example.org", "*@lists.example.org"}}
	for _, x := range []struct {
		senders  *directory.Senders
		name, as string
		want     string
	}{
		{own, "jane@example.org", "jane@example.org", "yes"},
		{own, "jane@example.org", `"Jane"@EXAMPLE.org`, "yes"},
		{own, "jane@bücher.example", "jane@bücher.example", "away"}, // names are kept in A-labels
		{own, "jane@xn--bcher-kva.example", "jane@bücher.example", "yes"},
		{own, "jane@example.org", "jane+x@example.org", "yes"},
		{own, "jane@example.org", "jane@example.com", "yes"},
		{own, "jane@example.org", "director@example.org", "yes"},
		{own, "jane@example.org", "joe@example.org", "no"},
		{own, "jane@example.org", "sales@example.org", "no"},
		{own, "jane@example.org", "away@example.org", "no"},
		{own, "jane@example.org", "robot@example.org", "no"},
		{own, "jane@example.org", "li@elsewhere.example", "no"},
		{own, "jane@example.org", "eve@example.org", "no"},
		{own, "jane@example.org", "slow@example.org", "away"},
		{own, "jane", "jane@example.org", "no"},
		{domain, "jane@example.org", "eve@example.org", "yes"},
		{domain, "jane@example.org", "eve@sub.example.org", "no"},
		{domain, "jane", "eve@jane", "no"},
		{anybody, "jane", "li@elsewhere.example", "yes"},
		{listed, "jane@example.org", "NEWS@example.org", "yes"},
		{listed, "jane@example.org", "any@lists.example.org", "yes"},
		{listed, "jane@example.org", "jane@example.org", "no"},
		{listed, "jane@example.org", "any@more.lists.example.org", "no"},
	} {
		may, err := x.senders.May(t.Context(), x.name, mailbox(t, x.as), people)
		got := map[bool]string{true: "yes", false: "no"}[may]
		if err != nil {
			got = "away"
		}
		if got != x.want {
			t.Errorf("%s as %s: %s, want %s", x.name, x.as, got, x.want)
		}
	}
	if may, err := own.May(t.Context(), "jane@example.org", joe, nil); may || err != nil {
		t.Errorf("without a directory: %v, %v", may, err)
	}
}
