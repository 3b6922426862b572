package route_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/smtp"
)

// TestARouteByItsName: an operator names a route whose conditions do not fit.
func TestARouteByItsName(t *testing.T) {
	p, err := route.ParsePattern("never.example")
	if err != nil {
		t.Fatal(err)
	}
	table, err := route.New([]route.Rule{
		{Name: "partners", To: []route.Pattern{p}, Way: route.Way{Transport: "smarthost", Hosts: []string{"a.example", "b.example"}}},
		{Name: "boxes", To: []route.Pattern{p}, Way: route.Way{Transport: "maildir", Mailbox: true}},
		{Name: "partners", Way: route.Way{Transport: "remote"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	to, err := smtp.ParseMailbox("Jane@Example.org")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]mail.Hop{
		"partners": {Route: "partners", Transport: "smarthost", Destination: "a.example, b.example"},
		"boxes":    {Route: "boxes", Transport: "maildir", Destination: "jane@example.org"},
		"nowhere":  {},
	} {
		got, ok := table.Named(name, route.Question{To: to})
		if got != want || ok != (want != mail.Hop{}) {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	if diff := cmp.Diff([]string{"partners", "boxes"}, table.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
