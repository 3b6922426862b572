package route_test

import (
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/route"
)

func TestInto(t *testing.T) {
	at := mail.Origin{File: "aliases", Line: 7, Column: 8}
	for into, transport := range map[string]string{
		"|/usr/bin/robot -v": route.AliasCommand,
		"|/usr/bin/robot /":  route.AliasCommand,
		"/var/log/robot":     route.AliasFile,
		"/var/mail/robot/":   route.AliasMaildir,
	} {
		want := mail.Hop{Route: "alias", Transport: transport, Destination: into, Origin: at}
		if got, ok := route.Into(&mail.Recipient{Into: into, Origin: at}); got != want || !ok {
			t.Errorf("%s: %+v, %v", into, got, ok)
		}
	}
	if got, ok := route.Into(&mail.Recipient{}); ok {
		t.Errorf("nobody: %+v", got)
	}
}
